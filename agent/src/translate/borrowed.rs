//! Parts for listeners that another control plane makes: the same guard, routes and filters as in our own, as Envoy's
//! JSON, to be patched in.
//!
//! There, routes and listeners may be out of step: a route table that already has our routes may be used with a
//! listener that does not remove forged headers yet, and clients could choose the cluster. So listeners that do mark
//! every connection, and the routes apply only to marked connections.

use sealgate_core::identity::{ConnectionOrigin, FILTER_STATE, format};
use sealgate_core::names;
use sealgate_core::rules::Retries;
use sealgate_core::table::PARTS;
use serde_json::{Value, json};

use super::{filter_config, routes, table};

/// Marks connections whose requests have their forged headers removed.
const GUARDED: &str = "sealgate.guarded";
const MARK: &str = "1";
/// The authority of requests to the agent: gRPC's C++ client would send the path of the socket.
const AUTHORITY: &str = "sealgate";

/// A message in an `Any`.
fn typed(name: &str, mut message: Value) -> Value {
    message["@type"] = json!(format!("type.googleapis.com/{name}"));
    message
}

/// Merged into a connection manager: removes every header name that the gateway itself uses, before anything else sees
/// the request.
#[must_use]
pub fn guarding(guard: &names::Guard) -> Value {
    let mutations: Vec<Value> = names::forged(guard)
        .map(|regex| json!({ "remove_on_match": { "key_matcher": { "safe_regex": { "regex": regex } } } }))
        .collect();
    let removing = typed(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        json!({ "mutations": mutations }),
    );
    let manager = json!({
        "early_header_mutation_extensions": [{
            "name": "envoy.http.early_header_mutation.header_mutation",
            "typed_config": removing,
        }],
    });
    let name = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    json!({ "typed_config": typed(name, manager) })
}

/// The network filter that marks connections, for every chain that is [`guarding`].
#[must_use]
pub fn marking() -> Value {
    filter_state("on_new_connection", GUARDED, MARK)
}

/// The network filter that describes connections to our filter.
#[must_use]
pub fn describing(origin: &ConnectionOrigin<'_>) -> Value {
    filter_state(
        "on_downstream_tls_handshake",
        FILTER_STATE,
        &format(origin, false),
    )
}

fn filter_state(when: &str, key: &str, text: &str) -> Value {
    let mut config = json!({});
    config[when] = json!([{
        "object_key": key,
        "factory_key": "envoy.string",
        "format_string": { "text_format_source": { "inline_string": text } },
    }]);
    json!({
        "name": "envoy.filters.network.set_filter_state",
        "typed_config": typed("envoy.extensions.filters.network.set_filter_state.v3.Config", config),
    })
}

/// Envoy's fault filter, which obeys ours, and must come after it.
#[must_use]
pub fn delaying() -> Value {
    let always = json!({ "numerator": 100 });
    let fault = json!({
        "delay": { "percentage": always, "header_delay": {} },
        "abort": { "percentage": always, "header_abort": {} },
    });
    json!({
        "name": "sealgate.fault",
        "typed_config": typed("envoy.extensions.filters.http.fault.v3.HTTPFault", fault),
    })
}

/// The routes that the filter chooses, to be tried in this order. Requests that it does not route match none of them.
#[must_use]
pub fn routes() -> [Value; 4] {
    let (timeout, retries) = (names::TIMEOUT_MS, names::RETRY_ON);
    [
        route("sealgate-own-timeout-and-retries", &[timeout, retries]),
        route("sealgate-own-timeout", &[timeout]),
        route("sealgate-own-retries", &[retries]),
        route("sealgate", &[]),
    ]
}

/// Like those in `routes.rs`: a rule's retries are added to the route's, which must not say when to retry; and a
/// request with its own timeout may be idle for as long.
fn route(name: &str, present: &[&str]) -> Value {
    let headers: Vec<Value> = [names::CLUSTER]
        .iter()
        .chain(present)
        .map(|name| json!({ "name": name, "present_match": true }))
        .collect();
    let previous_hosts = typed(
        "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        json!({}),
    );
    let mut retries = json!({
        "retry_host_predicate": [{ "name": routes::PREVIOUS_HOSTS, "typed_config": previous_hosts }],
        "host_selection_retry_max_attempts": routes::SELECTIONS,
    });
    if !present.contains(&names::RETRY_ON) {
        let own = Retries::default();
        retries["retry_on"] = json!(own.retry_on);
        retries["num_retries"] = json!(own.attempts);
    }
    let mut action = json!({ "cluster_header": names::CLUSTER, "timeout": "0s", "retry_policy": retries });
    if present.contains(&names::TIMEOUT_MS) {
        action["idle_timeout"] = json!("0s");
    }
    json!({
        "name": name,
        "match": {
            "prefix": "/",
            "headers": headers,
            "filter_state": [{ "key": GUARDED, "string_match": { "exact": MARK } }],
        },
        "request_headers_to_add": [{
            "header": { "key": "connection", "value": "Upgrade" },
            "append_action": "OVERWRITE_IF_EXISTS",
        }],
        "request_headers_to_remove": routes::TAKEN_OFF,
        "route": action,
    })
}

/// The filter of a Gateway's port, by ECDS from the agent's socket.
#[must_use]
pub fn filter(port: u16, socket: &str) -> Value {
    discovered(&filter_config::name(port), socket)
}

/// The listener with the table, by ECDS from the agent's socket. It binds no port.
#[must_use]
pub fn table_listener(socket: &str) -> Value {
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", json!({})),
    });
    let parts = (0..PARTS).map(|part| discovered(&table::name(part), socket));
    let filters: Vec<Value> = parts.chain([router]).collect();
    let manager = json!({
        "stat_prefix": table::LISTENER,
        "http_filters": filters,
        "route_config": { "name": table::LISTENER },
    });
    let name = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let (address, port) = table::ADDRESS;
    json!({
        "name": table::LISTENER,
        "stat_prefix": table::LISTENER,
        "address": { "socket_address": { "address": address, "port_value": port } },
        "bind_to_port": false,
        "traffic_direction": "INBOUND",
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": typed(name, manager),
        }] }],
    })
}

/// Not through a cluster: Envoy does not accept extensions from one that it got by CDS.
fn discovered(name: &str, socket: &str) -> Value {
    let service = json!({ "google_grpc": {
        "target_uri": format!("unix://{socket}"),
        "stat_prefix": "sealgate",
        "channel_args": { "args": { "grpc.default_authority": { "string_value": AUTHORITY } } },
    } });
    json!({
        "name": name,
        "config_discovery": {
            "config_source": {
                "resource_api_version": "V3",
                // A listener waits for its filter, however long that takes: without it, it would answer with 500.
                "initial_fetch_timeout": "0s",
                "api_config_source": {
                    "api_type": "DELTA_GRPC",
                    "transport_api_version": "V3",
                    "set_node_on_first_message_only": true,
                    "grpc_services": [service],
                },
            },
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
        },
    })
}
