//! The tables and Envoy's static configuration for them.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use sealgate_core::port::PortConfig;
use sealgate_core::rules::{
    Action, MatchConfig, RouteAction, RuleConfig, RuleOrigin, StringMatcher, TableConfig, VirtualHostConfig,
    WeightedCluster,
};
use serde_json::{Value, json};

use crate::by_hand::Machine;

/// The host of every request.
pub(super) const HOST: &str = "bench.example";

/// Which route a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Spot(pub usize);

impl Spot {
    /// Half of the routes are exact, half are prefixes.
    pub(super) fn path(self) -> String {
        let route = route(self.0);
        if self.0.is_multiple_of(2) {
            route
        } else {
            route + "item"
        }
    }
}

fn route(at: usize) -> String {
    if at.is_multiple_of(2) {
        format!("/exact/{at}")
    } else {
        format!("/prefix/{at}/")
    }
}

/// This many routes of one host.
#[must_use]
pub fn table(routes: usize) -> TableConfig {
    let rules = (0..routes).map(|at| RuleConfig {
        origin: RuleOrigin {
            virtual_service: "bench/routes".to_owned(),
            rule: at,
            ..RuleOrigin::default()
        },
        matches: vec![MatchConfig {
            uri: Some(if at % 2 == 0 {
                StringMatcher::Exact(route(at))
            } else {
                StringMatcher::Prefix(route(at))
            }),
            ..MatchConfig::default()
        }],
        action: Action::Route(Box::new(RouteAction {
            destinations: vec![WeightedCluster {
                cluster: format!("outbound|80||service-{}.bench.svc.cluster.local", at % 100),
                weight: 100,
                ..WeightedCluster::default()
            }],
            ..RouteAction::default()
        })),
    });
    TableConfig {
        port: 80,
        virtual_hosts: vec![VirtualHostConfig {
            domains: vec![HOST.to_owned()],
            https_redirect: false,
            rules: rules.collect(),
        }],
        ..TableConfig::default()
    }
}

/// One listener, one worker, HTTP/2; every request is answered immediately.
pub(super) fn bootstrap(port: u16, admin: u16, subject: Filters, native: usize) -> String {
    let mut filters = subject.filters;
    filters.push(json!({"name": "router", "typed_config":
        {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}));
    let answer = json!({"status": 200});
    let mut routes: Vec<Value> = (0..native)
        .map(|at| json!({"match": {"prefix": route(at)}, "direct_response": answer}))
        .collect();
    routes.push(json!({"match": {"prefix": "/"}, "direct_response": answer}));
    let address = |port| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP2",
        "http_filters": filters,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    });
    let mut listeners = subject.listeners;
    listeners.push(json!({"address": address(port),
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}]}));
    json!({
        "node": {"id": "bench", "cluster": "bench"},
        "admin": {"address": address(admin)},
        "static_resources": {"listeners": listeners},
    })
    .to_string()
}

/// Filters before the router, and additional listeners.
#[derive(Default)]
pub(super) struct Filters {
    pub(super) filters: Vec<Value>,
    pub(super) listeners: Vec<Value>,
}

/// Our filter with this many routes.
pub(super) fn sealgate(module: &Path, routes: usize) -> Result<Filters> {
    let machine = Machine { module, id: "bench" };
    let table = table(routes);
    let config = PortConfig {
        port: table.port,
        ..PortConfig::default()
    };
    Ok(Filters {
        filters: vec![json!({"name": "wasm", "typed_config": machine.traffic(&config)})],
        listeners: vec![machine.table(&[table])?],
    })
}

/// A module without a configuration.
pub(in crate::bench) fn wasm(module: &Path) -> Value {
    let machine = Machine { module, id: "bench" };
    json!({"name": "wasm", "typed_config": machine.plugin("bench", None)})
}

/// One lookup in a Lua table, one header.
pub(super) fn lua(routes: usize) -> Value {
    let mut code = "local clusters = {}\n".to_owned();
    for at in 0..routes {
        let _ = writeln!(
            code,
            "clusters[\"{}\"] = \"service-{}\"",
            Spot(at).path(),
            at % 100
        );
    }
    code += "function envoy_on_request(handle)\n  local headers = handle:headers()\n  \
        headers:replace(\"x-sealgate-cluster\", clusters[headers:get(\":path\")] or \"none\")\nend\n";
    json!({"name": "lua", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": code}}})
}
