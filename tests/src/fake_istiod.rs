//! A fake of what istiod makes for an ingress gateway: listeners and routes that look like its own, into which the patches
//! of an EnvoyFilter are applied in its order. The real one is slower to be had; where it is, this one is not asked.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// What a listener's clients meet, in PEM.
#[derive(Clone, Copy, Debug)]
pub struct IstioPem<'a> {
    /// Of the gateway.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
    /// The CA of clients' certificates.
    pub root: &'a str,
}

/// A server of a Gateway.
#[derive(Clone, Copy, Debug)]
pub struct IstioServer<'a> {
    /// Its hosts; none is all.
    pub hosts: &'a [&'a str],
    /// `SIMPLE`, `MUTUAL` or `OPTIONAL_MUTUAL`; none is plain text.
    pub mode: Option<&'a str>,
}

/// Which patches there are already: routes and listeners come apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patched {
    /// All.
    Wholly,
    /// Those of routes alone.
    Routes,
}

fn typed(name: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/{name}"));
    config
}

fn http_filter(name: &str, message: &str) -> Value {
    json!({ "name": name, "typed_config": typed(message, json!({})) })
}

/// A listener as istiod would name it.
#[must_use]
pub fn listener(port: u16, pem: &IstioPem<'_>, servers: &[IstioServer<'_>]) -> Value {
    let chains: Vec<Value> = servers.iter().map(|server| chain(server, pem)).collect();
    let inspector = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
    json!({
        "name": format!("127.0.0.1_{port}"),
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": port } },
        "listener_filters": [http_filter("envoy.filters.listener.tls_inspector", inspector)],
        "filter_chains": chains,
    })
}

fn chain(server: &IstioServer<'_>, pem: &IstioPem<'_>) -> Value {
    let mut chain = json!({ "filters": [manager()] });
    if !server.hosts.is_empty() {
        chain["filter_chain_match"] = json!({ "server_names": server.hosts });
    }
    if let Some(mode) = server.mode {
        let inline = |text: &str| json!({ "inline_string": text });
        let mut common = json!({
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [{ "certificate_chain": inline(pem.certificate), "private_key": inline(pem.key) }],
        });
        if mode != "SIMPLE" {
            common["validation_context"] = json!({ "trusted_ca": inline(pem.root) });
        }
        let context = json!({ "common_tls_context": common, "require_client_certificate": mode == "MUTUAL" });
        let message = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
        chain["transport_socket"] =
            json!({ "name": "envoy.transport_sockets.tls", "typed_config": typed(message, context) });
    }
    chain
}

/// The route table is what istiod makes where no VirtualService is bound.
fn manager() -> Value {
    let filters = [
        (
            "envoy.filters.http.grpc_stats",
            "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
        ),
        (
            "envoy.filters.http.fault",
            "envoy.extensions.filters.http.fault.v3.HTTPFault",
        ),
        (
            "envoy.filters.http.cors",
            "envoy.extensions.filters.http.cors.v3.Cors",
        ),
        (
            "envoy.filters.http.router",
            "envoy.extensions.filters.http.router.v3.Router",
        ),
    ];
    let filters: Vec<Value> = filters
        .iter()
        .map(|(name, message)| http_filter(name, message))
        .collect();
    let config = json!({
        "stat_prefix": "outbound",
        "use_remote_address": true,
        "forward_client_cert_details": "SANITIZE",
        "http_filters": filters,
        "route_config": {
            "validate_clusters": false,
            "virtual_hosts": [{ "name": "blackhole", "domains": ["*"], "routes": [] }],
        },
    });
    let message = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    json!({ "name": MANAGER, "typed_config": typed(message, config) })
}

/// Applies an EnvoyFilter.
///
/// # Errors
/// A patch of a kind that is not known here.
pub fn apply(filter: &Value, listeners: &mut Vec<Value>, patched: Patched) -> Result<()> {
    let patches = filter["spec"]["configPatches"].as_array().context("no patches")?;
    for patch in patches {
        let kind = patch["applyTo"].as_str().unwrap_or_default();
        if kind != "HTTP_ROUTE" && patched == Patched::Routes {
            continue;
        }
        if kind == "LISTENER" {
            listeners.push(patch["patch"]["value"].clone());
            continue;
        }
        for listener in listeners.iter_mut() {
            let port = listener["address"]["socket_address"]["port_value"].clone();
            let chains = listener["filter_chains"].as_array_mut();
            for chain in chains
                .into_iter()
                .flatten()
                .filter(|chain| is_meant(patch, &port, chain))
            {
                apply_to(patch, kind, chain)?;
            }
        }
    }
    Ok(())
}

/// Whether a patch is for a filter chain of istiod's.
fn is_meant(patch: &Value, port: &Value, chain: &Value) -> bool {
    let place = &patch["match"]["listener"];
    let sni = &place["filterChain"]["sni"];
    let names = chain["filter_chain_match"]["server_names"].as_array();
    let own = chain["filters"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|filter| filter["name"] == MANAGER);
    own && (place["portNumber"].is_null() || place["portNumber"] == *port)
        && (sni.is_null() || names.is_some_and(|names| names.contains(sni)))
}

fn apply_to(patch: &Value, kind: &str, chain: &mut Value) -> Result<()> {
    let operation = patch["patch"]["operation"].as_str().unwrap_or_default();
    let value = patch["patch"]["value"].clone();
    let filters = chain["filters"].as_array_mut().context("no filters")?;
    let at = filters
        .iter()
        .position(|own| own["name"] == MANAGER)
        .context("no manager")?;
    if (kind, operation) == ("NETWORK_FILTER", "INSERT_BEFORE") {
        filters.insert(at, value);
        return Ok(());
    }
    let manager = filters.get_mut(at).context("no manager")?;
    let config = &mut manager["typed_config"];
    match (kind, operation) {
        ("NETWORK_FILTER", "MERGE") => merge(manager, value),
        ("HTTP_FILTER", "INSERT_BEFORE") => {
            let name = &patch["match"]["listener"]["filterChain"]["filter"]["subFilter"]["name"];
            let filters = config["http_filters"].as_array_mut().context("no HTTP filters")?;
            let at = filters
                .iter()
                .position(|own| own["name"] == *name)
                .context("no such filter")?;
            filters.insert(at, value);
        }
        ("HTTP_ROUTE", "INSERT_FIRST") => {
            let hosts = config["route_config"]["virtual_hosts"].as_array_mut();
            for host in hosts.into_iter().flatten() {
                let routes = host["routes"].as_array_mut().context("no routes")?;
                routes.insert(0, value.clone());
            }
        }
        _ => bail!("{operation} of {kind} is not known"),
    }
    Ok(())
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

/// Envoy with these listeners, and with clusters of one upstream on loopback.
#[must_use]
pub fn bootstrap(admin: u16, listeners: &[Value], clusters: &[(&str, u16)]) -> String {
    let address = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let clusters: Vec<Value> = clusters
        .iter()
        .map(|(name, port)| {
            let endpoint = json!({ "endpoint": { "address": address(*port) } });
            json!({
                "name": name,
                "type": "STATIC",
                "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] },
            })
        })
        .collect();
    json!({
        "node": { "id": "router~192.0.2.1~gateway.istio-system~istio-system.svc.cluster.local", "cluster": "gateway" },
        "admin": { "address": address(admin) },
        "static_resources": { "listeners": listeners, "clusters": clusters },
    })
    .to_string()
}
