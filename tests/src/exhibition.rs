//! One Envoy that shows many materials at once, each on a filter chain of its own, found by server name.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::StreamExt as _;
use rustls::version::{TLS12, TLS13};
use sealgate_model::SecretObject;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::corpus::{Material, Taken, material};
use crate::eventually;
use crate::sds::{Sds, Verdicts};
use crate::site::{Envoy, free_port};
use crate::spki_client::knock;

const SOON: Duration = Duration::from_secs(60);
/// Handshakes at a time.
const AT_ONCE: usize = 4;

/// A running exhibition.
#[derive(Debug)]
pub struct Exhibition {
    _folder: TempDir,
    _envoy: Envoy,
    port: u16,
    verdicts: Verdicts,
}

impl Exhibition {
    /// Shows these secrets; gives back once Envoy has said something of each.
    ///
    /// # Errors
    /// Envoy does not start, or stays silent.
    pub async fn open(secrets: BTreeMap<String, SecretObject>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sealgate").tempdir()?;
        let socket = folder.path().join("sds.sock");
        let (port, admin) = (free_port()?, free_port()?);
        let chains = secrets.iter().map(|(name, secret)| chain(name, secret));
        let bootstrap = bootstrap(
            &socket.display().to_string(),
            port,
            admin,
            chains.collect::<Result<_>>()?,
        );
        let expected = secrets.len();
        let sds = Sds::serve(&socket, secrets)?;
        let envoy = Envoy::start(folder.path(), &bootstrap.to_string(), admin).await?;
        let all = || async {
            let verdicts = sds.verdicts();
            ensure!(verdicts.len() == expected, "{} of {expected}", verdicts.len());
            Ok(verdicts)
        };
        let verdicts = eventually("Envoy judges every secret", SOON, all).await?;
        Ok(Self {
            _folder: folder,
            _envoy: envoy,
            port,
            verdicts,
        })
    }

    /// What Envoy does with each, and what it or the client says where it does not go well.
    pub async fn judge(&self, clients: &BTreeMap<String, Material>) -> BTreeMap<String, (Taken, String)> {
        futures::stream::iter(&self.verdicts)
            .map(|(name, verdict)| async move {
                let judged = match (verdict, clients.get(name)) {
                    (Some(error), _) => (Taken::Not, error.clone()),
                    (None, Some(client)) => self.shake(name, client).await,
                    (None, None) => (Taken::ButFails, "there is no client for it".to_owned()),
                };
                (name.clone(), judged)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }

    async fn shake(&self, name: &str, client: &Material) -> (Taken, String) {
        for version in [&TLS12, &TLS13] {
            let identity = (client.client.as_str(), client.client_key.as_str());
            if let Err(error) = knock(self.port, &host(name), version, identity).await {
                return (Taken::ButFails, format!("{version:?}: {error:#}"));
            }
        }
        (Taken::Well, String::new())
    }
}

fn host(name: &str) -> String {
    format!("{name}.test")
}

/// A chain that shows this pair, or that asks clients for a certificate of this bundle.
fn chain(name: &str, secret: &SecretObject) -> Result<Value> {
    let by_sds = json!({
        "name": name,
        "sds_config": {
            "resource_api_version": "V3",
            "api_config_source": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{ "envoy_grpc": { "cluster_name": "sds" } }],
            },
        },
    });
    let mut context = json!({ "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" } });
    let is_bundle = secret.data.contains_key("ca.crt");
    if is_bundle {
        let own = material("key-ec-prime256v1")?.secret.data;
        let text = |key: &str| {
            own.get(key)
                .map(|value| String::from_utf8_lossy(value).into_owned())
        };
        context["tls_certificates"] = json!([{
            "certificate_chain": { "inline_string": text("tls.crt") },
            "private_key": { "inline_string": text("tls.key") },
        }]);
        context["validation_context_sds_secret_config"] = by_sds;
    } else {
        context["tls_certificate_sds_secret_configs"] = json!([by_sds]);
    }
    Ok(json!({
        "filter_chain_match": { "server_names": [host(name)] },
        "transport_socket": { "name": "tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": context,
            "require_client_certificate": is_bundle,
        } },
        "filters": [{ "name": "echo", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo",
        } }],
    }))
}

fn bootstrap(socket: &str, port: u16, admin: u16, chains: Vec<Value>) -> Value {
    let address = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    json!({
        "node": { "id": "exhibition", "cluster": "tests" },
        "admin": { "address": address(admin) },
        "static_resources": {
            "clusters": [{
                "name": "sds",
                "type": "STATIC",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": { "http2_protocol_options": {} },
                    },
                },
                "circuit_breakers": { "thresholds": [{ "max_requests": 100_000 }] },
                "load_assignment": { "cluster_name": "sds", "endpoints": [{ "lb_endpoints": [
                    { "endpoint": { "address": { "pipe": { "path": socket } } } },
                ] }] },
            }],
            "listeners": [{
                "name": "exhibition",
                "address": address(port),
                "listener_filters": [{ "name": "sni", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
                } }],
                "filter_chains": chains,
            }],
        },
    })
}
