//! Listeners that somebody wrote by hand, beside ours: Envoy's own XFCC, and our filter where Envoy takes certificates
//! that nobody could verify.

use std::path::Path;

use anyhow::Result;
use sealgate_core::identity::{ConnectionOrigin, FILTER_STATE, IdentityConfig, IdentityPolicy, format};
use sealgate_core::names;
use sealgate_core::port::PortConfig;
use sealgate_core::rules::{
    Action, RouteAction, RuleConfig, TableConfig, VirtualHostConfig, WeightedCluster,
};
use serde_json::{Value, json};

use crate::by_hand::Machine;

const CHAIN: &str = "by-hand";
/// As the table has it.
const PORT: u16 = 443;
const CLUSTER: &str = "beside";

fn typed(name: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/{name}"));
    config
}

/// What clients of such a listener meet.
#[derive(Clone, Copy, Debug)]
pub struct ListenerPem<'a> {
    /// Of the gateway, in PEM.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Who signs clients' certificates, in PEM.
    pub root: &'a str,
}

impl ListenerPem<'_> {
    /// `trust` is Envoy's word for what becomes of a certificate that cannot be verified.
    fn tls(&self, trust: &str) -> Value {
        let inline = |text: &str| json!({"inline_string": text});
        let context = json!({"common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificates": [{"certificate_chain": inline(self.certificate), "private_key": inline(self.key)}],
            "validation_context": {"trusted_ca": inline(self.root), "trust_chain_verification": trust},
        }});
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": typed("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", context),
        })
    }
}

fn listener(port: u16, tls: &Value, network: Vec<Value>, manager: Value) -> Value {
    let name = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let mut filters = network;
    filters.push(json!({"name": "http", "typed_config": typed(name, manager)}));
    json!({
        "name": format!("by-hand-{port}"),
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"transport_socket": tls, "filters": filters}],
    })
}

fn router() -> Value {
    json!({"name": "envoy.filters.http.router",
        "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", json!({}))})
}

fn route(mut route: Value) -> Value {
    route["match"] = json!({"prefix": "/"});
    json!({"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]})
}

/// Envoy's XFCC with all that it can hold but certificates, and what Envoy's formatters say beside it.
#[must_use]
pub fn native(port: u16, material: &ListenerPem<'_>) -> Value {
    let fact = |name: &str, fact: &str| json!({"header": {"key": name, "value": format!("%{fact}%")}});
    let manager = json!({
        "stat_prefix": "native",
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"subject": true, "uri": true, "dns": true},
        "route_config": route(json!({
            "route": {"cluster": CLUSTER},
            "request_headers_to_add": [
                fact("native-subject", "DOWNSTREAM_PEER_SUBJECT"),
                fact("native-issuer", "DOWNSTREAM_PEER_ISSUER"),
                fact("native-serial", "DOWNSTREAM_PEER_SERIAL"),
            ],
        })),
        "http_filters": [router()],
    });
    listener(port, &material.tls("VERIFY_TRUST_CHAIN"), Vec::new(), manager)
}

/// What a listener without ours does on its way to the upstream.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// On XFCC: `SANITIZE`, or `SANITIZE_SET` with all that it can hold but certificates.
    pub xfcc: &'static str,
    /// Headers that the route adds.
    pub adds: Vec<(String, String)>,
    /// HTTP filters.
    pub filters: Vec<Value>,
}

/// A listener that does this.
#[must_use]
pub fn forwarding(port: u16, material: &ListenerPem<'_>, does: Forwarding) -> Value {
    let adds = does
        .adds
        .iter()
        .map(|(name, value)| json!({"header": {"key": name, "value": value}}));
    let mut filters = does.filters;
    filters.push(router());
    let manager = json!({
        "stat_prefix": "forwarding",
        "forward_client_cert_details": does.xfcc,
        "set_current_client_cert_details": {"subject": true, "uri": true, "dns": true},
        "route_config": route(json!({
            "route": {"cluster": CLUSTER},
            "request_headers_to_add": adds.collect::<Vec<_>>(),
            "request_headers_to_remove": [names::CLUSTER],
        })),
        "http_filters": filters,
    });
    listener(port, &material.tls("VERIFY_TRUST_CHAIN"), Vec::new(), manager)
}

/// An Envoy with nothing but such listeners.
#[must_use]
pub fn alone(admin: u16, listeners: &[Value], upstream: u16) -> String {
    let bootstrap = format!(
        "node: {{id: beside, cluster: beside}}\nadmin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}\n\
         static_resources:\n  clusters:\n"
    );
    with(&bootstrap, listeners, upstream)
}

/// Our filter on a listener that takes every certificate, and the listener of its table.
///
/// # Errors
/// There is no such table.
pub fn unchecked(
    port: u16,
    material: &ListenerPem<'_>,
    module: &Path,
    identity: IdentityConfig,
) -> Result<[Value; 2]> {
    let machine = Machine {
        module,
        id: "by-hand",
    };
    let wasm = machine.traffic(&PortConfig {
        port: PORT,
        told: vec![IdentityPolicy {
            chains: vec![CHAIN.to_owned()],
            identity,
        }],
    });
    let origin = ConnectionOrigin {
        chain: CHAIN,
        policy: "-",
        checked: false,
    };
    let value = json!({
        "object_key": FILTER_STATE,
        "factory_key": "envoy.string",
        "format_string": {"text_format_source": {"inline_string": format(&origin, false)}},
    });
    let describes = typed(
        "envoy.extensions.filters.network.set_filter_state.v3.Config",
        json!({"on_downstream_tls_handshake": [value]}),
    );
    let manager = json!({
        "stat_prefix": "unchecked",
        "route_config": route(json!({
            "route": {"cluster_header": names::CLUSTER},
            "request_headers_to_remove": [names::CLUSTER],
        })),
        "http_filters": [{"name": "sealgate", "typed_config": wasm}, router()],
    });
    let network = vec![json!({"name": "describes", "typed_config": describes})];
    let tls = material.tls("ACCEPT_UNTRUSTED");
    Ok([machine.table(&[table()])?, listener(port, &tls, network, manager)])
}

/// Everything goes to the one upstream.
fn table() -> TableConfig {
    let rule = RuleConfig {
        origin: sealgate_core::rules::RuleOrigin::default(),
        matches: Vec::new(),
        action: Action::Route(Box::new(RouteAction {
            destinations: vec![WeightedCluster {
                cluster: CLUSTER.to_owned(),
                weight: 1,
                ..WeightedCluster::default()
            }],
            ..RouteAction::default()
        })),
    };
    TableConfig {
        port: PORT,
        virtual_hosts: vec![VirtualHostConfig {
            domains: vec!["*".to_owned()],
            https_redirect: false,
            rules: vec![rule],
        }],
        ..TableConfig::default()
    }
}

/// The printed bootstrap with these listeners, which lead to an upstream on this port.
#[must_use]
pub fn with(bootstrap: &str, listeners: &[Value], upstream: u16) -> String {
    let cluster = json!({
        "name": CLUSTER,
        "load_assignment": {"cluster_name": CLUSTER, "endpoints": [{"lb_endpoints": [{"endpoint": {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": upstream}},
        }}]}]},
    });
    bootstrap.replace(
        "static_resources:\n  clusters:\n",
        &format!(
            "static_resources:\n  listeners: {}\n  clusters:\n    - {cluster}\n",
            Value::from(listeners.to_vec())
        ),
    )
}
