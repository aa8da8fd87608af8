//! The filter without an agent, in an Envoy that somebody configured by hand: a port with TLS on which clients may show
//! certificates, one without TLS, a service of Envoy's own route, and one that rules of the filter may lead to.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::by_hand::{Machine, text};
use crate::echo;
use crate::pki::{Authority, Leaf};
use crate::site::{Envoy, free_port, program};

/// The only service that rules know.
pub const CLUSTER: &str = "outbound|8080||shop.web.svc.cluster.local";
/// What each service says first.
pub const OWN: &str = "own";
/// The same of the one that rules lead to.
pub const SHOP: &str = "shop";
/// The host of the certificate.
pub const HOST: &str = "shop.example";

const MODULE: &str = "SEALGATE_FILTER_WASM";
const LIMIT: Duration = Duration::from_secs(20);

/// How the connections of a listener are described to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notes {
    /// Not at all: it asks for properties.
    None,
    /// By the filter state that Istio's gateways get from a static EnvoyFilter; handshakes fail by a bad certificate.
    Checked,
}

/// See the module.
#[derive(Debug)]
pub struct AloneSite {
    folder: TempDir,
    module: PathBuf,
    authority: Authority,
    server: Leaf,
    own: u16,
    shop: u16,
    /// Where TLS is spoken.
    pub https: u16,
    /// Where it is not.
    pub http: u16,
    admin: u16,
}

impl AloneSite {
    /// The services; Envoy is started by [`Self::start`].
    ///
    /// # Errors
    /// There are no ports, or no certificates.
    pub async fn new() -> Result<Self> {
        let authority = Authority::new("CA")?;
        Ok(Self {
            folder: tempfile::tempdir()?,
            module: program(MODULE)?,
            server: authority.leaf(&[HOST])?,
            authority,
            own: echo::start(OWN).await?,
            shop: echo::start(SHOP).await?,
            https: free_port()?,
            http: free_port()?,
            admin: free_port()?,
        })
    }

    /// A certificate that the listener trusts.
    ///
    /// # Errors
    /// The library's.
    pub fn client(&self, name: &str) -> Result<Leaf> {
        self.authority.leaf(&[name])
    }

    /// An Envoy whose filter has this configuration; none is none at all.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start(&self, config: Option<&str>, notes: Notes) -> Result<Envoy> {
        let bootstrap = self.bootstrap(config, notes);
        Envoy::start(self.folder.path(), &bootstrap, self.admin).await
    }

    /// The log of an Envoy that does not start with this configuration.
    ///
    /// # Errors
    /// It does start.
    pub async fn refused(&self, config: &str) -> Result<String> {
        let path = self.folder.path().join("refused.json");
        std::fs::write(&path, self.bootstrap(Some(config), Notes::None))?;
        let mut command = tokio::process::Command::new(program("ENVOY_BIN")?);
        command.arg("-c").arg(path);
        command.args([
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "--log-level",
            "warning",
        ]);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output.context("Envoy has started")??;
        ensure!(!output.status.success(), "Envoy has ended well");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// JSON is YAML.
    fn bootstrap(&self, config: Option<&str>, notes: Notes) -> String {
        let manager = json!({"name": "http", "typed_config": self.manager(config)});
        let noted = match notes {
            Notes::None => vec![],
            Notes::Checked => vec![noting("- - checked -")],
        };
        let secure: Vec<Value> = noted.into_iter().chain([manager.clone()]).collect();
        let chain = json!({
            "filters": secure,
            "transport_socket": {"name": "tls", "typed_config": self.tls(notes)},
        });
        // As in Istio's gateways: without it no property has the SNI.
        let inspector = json!({"name": "tls_inspector", "typed_config":
            {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}});
        let listener = |port: u16, chain: Value| {
            json!({
                "name": port.to_string(),
                "address": address(port),
                "listener_filters": [inspector],
                "filter_chains": [chain],
            })
        };
        json!({
            "node": {"id": "alone", "cluster": "alone"},
            "admin": {"address": address(self.admin)},
            "static_resources": {
                "listeners": [listener(self.https, chain), listener(self.http, json!({"filters": [manager]}))],
                "clusters": [cluster(OWN, self.own), cluster(CLUSTER, self.shop)],
            },
        })
        .to_string()
    }

    /// The routes are those of the static EnvoyFilter, before one of the user's own. A client's XFCC is let through: what the
    /// filter makes of it is its own work.
    fn manager(&self, config: Option<&str>) -> Value {
        let machine = Machine {
            module: &self.module,
            id: "",
        };
        let plugin = machine.plugin("sealgate", config.map(text));
        let by_filter = |conditions: &[&str]| {
            let headers = conditions
                .iter()
                .map(|name| json!({"name": name, "present_match": true}));
            let mut route = json!({
                "match": {"prefix": "/", "headers": headers.collect::<Vec<_>>()},
                "request_headers_to_remove": ["x-sealgate-cluster"],
                "route": {"cluster_header": "x-sealgate-cluster", "timeout": "0s"},
            });
            if conditions.len() == 1 {
                route["route"]["retry_policy"] = json!({"retry_on": "connect-failure", "num_retries": 2});
            }
            route
        };
        let routes = [
            by_filter(&["x-sealgate-cluster", "x-envoy-retry-on"]),
            by_filter(&["x-sealgate-cluster"]),
            json!({"match": {"prefix": "/"}, "route": {"cluster": OWN}}),
        ];
        json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "alone",
            "forward_client_cert_details": "ALWAYS_FORWARD_ONLY",
            "http_filters": [
                {"name": "sealgate", "typed_config": plugin},
                {"name": "router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
            ],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        })
    }

    fn tls(&self, notes: Notes) -> Value {
        let inline = |text: &str| json!({ "inline_string": text });
        json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": notes == Notes::Checked,
            "common_tls_context": {
                "tls_certificates": [{"certificate_chain": inline(&self.server.certificate), "private_key": inline(&self.server.key)}],
                "validation_context": {"trusted_ca": inline(&self.authority.certificate)},
                "alpn_protocols": ["h2", "http/1.1"],
            },
        })
    }
}

fn noting(words: &str) -> Value {
    let facts = "%DOWNSTREAM_PEER_FINGERPRINT_256% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %REQUESTED_SERVER_NAME%";
    let format = json!({"text_format_source": {"inline_string": format!("{words} {facts}")}});
    json!({"name": "envoy.filters.network.set_filter_state", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
        "on_downstream_tls_handshake": [
            {"object_key": "sealgate.connection", "factory_key": "envoy.string", "format_string": format},
        ],
    }})
}

fn address(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

fn cluster(name: &str, port: u16) -> Value {
    let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]);
    json!({"name": name, "load_assignment": {"cluster_name": name, "endpoints": endpoints}})
}
