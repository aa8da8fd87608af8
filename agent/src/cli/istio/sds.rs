//! `sealgate istio sds`: certificates from the agent, in listeners that are Istio's.
//!
//! Istio 1.31 takes a provider of certificates from its mesh configuration. Before, a proxy of which the metadata say
//! `credential` asks at a path that is fixed; that still works, and takes precedence.

use sealgate_model::manifest::is_name;
use sealgate_model::{BUNDLE_SUFFIX, secret_name};
use serde_json::{Value, json};

use super::error::IstioError;
use super::input::{Input, UserGateway};
use super::pod::{Pod, SharedFolder};
use super::site::{IstioVersion, Site, name};
use super::{Manifests, rights};
use crate::args::IstioSdsArgs;

/// The service by which istiod names the agent's socket. Nobody resolves it.
const HOST: &str = "sealgate-sds.internal";
const PORT: u16 = 9000;
const PROVIDER: &str = "sealgate";
/// What a Gateway writes before a name that is not for istiod.
const SCHEME: &str = "sds://";
/// What pilot-agent itself serves.
const ISTIOS_OWN: &str = "builtin://";
/// What no object can do.
pub(super) const NAME_PROVIDER: &str = "before you apply this, add the agent to istiod's mesh configuration: \
    `sealgate istio sds --mesh-config` prints it";
/// Envoy's breakers let 1,024 streams to a cluster wait, and each name has one of its own.
const MOST_STREAMS: u32 = 100_000;
/// With so many names the fixed path needs wider breakers too. istiod's own cluster has Envoy's.
const FEW_NAMES: usize = 1_000;

/// Where a provider of the mesh configuration is found.
pub(super) const OWN: SharedFolder = SharedFolder {
    volume: "sealgate",
    folder: "/run/sealgate",
    socket: "/run/sealgate/xds.sock",
    injected: false,
};
/// Where Envoy asks if its metadata say so.
const FIXED: SharedFolder = SharedFolder {
    volume: "credential-socket",
    folder: "/var/run/secrets/credential-uds",
    socket: "/var/run/secrets/credential-uds/socket",
    injected: true,
};

/// See the module.
///
/// # Errors
/// A flag or a Gateway that cannot be used.
pub(super) fn manifests(args: &IstioSdsArgs) -> Result<Manifests, IstioError> {
    let site = Site::new(&args.gateway)?;
    let account = name("--service-account", &args.agent.service_account)?;
    let has_providers = site.version >= IstioVersion::WITH_PROVIDERS;
    if args.mesh_config {
        return mesh_config(&site, has_providers);
    }
    let input = Input::read(&args.gateway.files, &site)?;
    let gateways = with_scheme(&input.gateways)?;
    let mut objects = Vec::from(rights::of_secrets(&site, &account)?);
    let mut pod = Pod {
        agent: &args.agent,
        shared: OWN,
        flags: vec!["--only=secrets".to_owned()],
        proxy_env: Vec::new(),
        routes: false,
    };
    let mut notes = Vec::new();
    if has_providers {
        objects.extend(provider(&site));
        notes.push(NAME_PROVIDER.to_owned());
    } else {
        pod.shared = FIXED;
        pod.proxy_env.push(("ISTIO_META_credential", "true"));
        if names(&gateways) > FEW_NAMES {
            objects.push(wider_breakers(&site));
        }
    }
    objects.push(pod.deployment(&site)?);
    if gateways.is_empty() {
        notes.push(
            "in each Gateway, write `credentialName: sds://NAME`; with -f, Gateways are printed that way"
                .to_owned(),
        );
    }
    objects.extend(gateways);
    Ok(Manifests { objects, notes })
}

/// Helm values of istiod.
fn mesh_config(site: &Site, has_providers: bool) -> Result<Manifests, IstioError> {
    if !has_providers {
        let reason = format!(
            "has no SDS providers: --mesh-config is for Istio {} and later",
            IstioVersion::WITH_PROVIDERS
        );
        return Err(IstioError::flag(
            "--istio-version",
            &site.version.to_string(),
            reason,
        ));
    }
    let provider = json!({
        "name": PROVIDER,
        "sds": { "service": format!("{}/{HOST}", site.namespace), "port": PORT },
    });
    Ok(Manifests {
        objects: vec![json!({ "meshConfig": { "extensionProviders": [provider] } })],
        notes: Vec::new(),
    })
}

/// The agent as a service that only istiod names.
pub(super) fn provider(site: &Site) -> [Value; 2] {
    [service_entry(site), destination_rule(site)]
}

fn service_entry(site: &Site) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": site.metadata("sealgate-sds"),
        "spec": {
            "hosts": [HOST],
            "exportTo": ["."],
            "resolution": "STATIC",
            "ports": [{ "number": PORT, "name": "grpc", "protocol": "GRPC" }],
            "endpoints": [{ "address": format!("unix://{}", OWN.socket) }],
        },
    })
}

fn destination_rule(site: &Site) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": site.metadata("sealgate-sds"),
        "spec": {
            "host": HOST,
            "exportTo": ["."],
            "trafficPolicy": {
                "tls": { "mode": "DISABLE" },
                "connectionPool": { "http": {
                    "http2MaxRequests": MOST_STREAMS,
                    "http1MaxPendingRequests": MOST_STREAMS,
                } },
            },
        },
    })
}

/// istiod adds its cluster after it has merged patches into clusters: only an added one of the same name counts.
fn wider_breakers(site: &Site) -> Value {
    let protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let threshold = json!({
        "max_connections": MOST_STREAMS,
        "max_pending_requests": MOST_STREAMS,
        "max_requests": MOST_STREAMS,
        "max_retries": MOST_STREAMS,
    });
    let endpoint = json!({ "endpoint": { "address": { "pipe": { "path": format!(".{}", FIXED.socket) } } } });
    let cluster = json!({
        "name": "sds-external",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": "sds-external", "endpoints": [{ "lb_endpoints": [endpoint] }] },
        "circuit_breakers": { "thresholds": [threshold] },
        "typed_extension_protocol_options": { protocol: {
            "@type": format!("type.googleapis.com/{protocol}"),
            "explicit_http_config": { "http2_protocol_options": {
                "connection_keepalive": { "interval": "30s", "timeout": "5s" },
            } },
        } },
    });
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": site.metadata("sealgate-sds"),
        "spec": {
            "workloadSelector": { "labels": site.selector },
            "configPatches": [{
                "applyTo": "CLUSTER",
                "match": { "context": "GATEWAY" },
                "patch": { "operation": "ADD", "value": cluster },
            }],
        },
    })
}

/// The Gateways, asking the agent.
///
/// # Errors
/// Credentials that no Secret of the gateway's namespace can be.
pub(super) fn with_scheme(gateways: &[UserGateway]) -> Result<Vec<Value>, IstioError> {
    let mut refused = Vec::new();
    let changed = gateways.iter().map(|gateway| {
        let mut value = gateway.own.value.clone();
        let servers = value.pointer_mut("/spec/servers").and_then(Value::as_array_mut);
        for (at, server) in servers.into_iter().flatten().enumerate() {
            if let Some(tls) = server.get_mut("tls") {
                change_tls(tls, &mut |field, reason| {
                    refused.push(
                        gateway
                            .own
                            .refusal(&format!("spec.servers[{at}].tls.{field}"), reason),
                    );
                });
            }
        }
        value
    });
    let changed = changed.collect();
    if refused.is_empty() {
        Ok(changed)
    } else {
        Err(IstioError::Refused(refused))
    }
}

fn change_tls(tls: &mut Value, refuse: &mut impl FnMut(String, String)) {
    let mut change = |field: String, own: &mut Value, suffix: &str| {
        let Some(written) = own.as_str().filter(|text| !text.is_empty()) else {
            return;
        };
        let plain = secret_name(written);
        if plain.starts_with(ISTIOS_OWN) {
            return;
        }
        if !is_name(plain) {
            return refuse(field, format!("{written:?} is not the name of a Secret"));
        }
        let suffix = if plain.ends_with(suffix) { "" } else { suffix };
        *own = json!(format!("{SCHEME}{plain}{suffix}"));
    };
    if let Some(own) = tls.get_mut("credentialName") {
        change("credentialName".to_owned(), own, "");
    }
    let list = tls.get_mut("credentialNames").and_then(Value::as_array_mut);
    for (at, own) in list.into_iter().flatten().enumerate() {
        change(format!("credentialNames[{at}]"), own, "");
    }
    // Istio asks for this name as it is written, and the agent has a trust bundle by its own name alone.
    if let Some(own) = tls.get_mut("caCertCredentialName") {
        change("caCertCredentialName".to_owned(), own, BUNDLE_SUFFIX);
    }
}

/// How many names proxies will ask for, at most: each may have a trust bundle beside it.
fn names(gateways: &[Value]) -> usize {
    let servers = gateways
        .iter()
        .flat_map(|gateway| gateway.pointer("/spec/servers").and_then(Value::as_array))
        .flatten();
    let of = |server: &Value| {
        let tls = server.get("tls")?;
        let list = tls.get("credentialNames").and_then(Value::as_array);
        Some(list.map_or(0, Vec::len) + usize::from(tls.get("credentialName").is_some()) + 1)
    };
    servers.filter_map(of).sum()
}
