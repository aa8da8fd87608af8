//! The EnvoyFilter: what `translate::borrowed` lends, and where in Istio's listeners and routes it goes.

use sealgate_core::identity::ConnectionOrigin;
use sealgate_core::names::Guard;
use serde_json::{Value, json};

use super::site::Site;
use crate::translate::borrowed;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
/// Of Istio's filters in front of the router the first that every gateway has; authentication and authorization stand
/// before it.
const FIRST_BEHIND_AUTHORIZATION: &str = "envoy.filters.http.fault";

/// See the module. Patches of one kind are applied in this order.
#[derive(Debug)]
pub(super) struct Patches(Vec<Value>);

/// Connections of a gateway.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Where<'a> {
    /// The port that the proxy binds; all if none.
    pub(super) port: Option<u16>,
    /// A server name of the filter chain; all of the port if none.
    pub(super) sni: Option<&'a str>,
}

impl Patches {
    /// Forged headers go, and what our filter decides by them is obeyed on connections alone where they do.
    pub(super) fn new(guard: &Guard) -> Self {
        let mut patches = Self(Vec::new());
        patches.network(Where::default(), "MERGE", borrowed::guarding(guard));
        patches.network(Where::default(), "INSERT_BEFORE", borrowed::marking());
        // Each goes before those that are there.
        for route in borrowed::routes().into_iter().rev() {
            patches.add("HTTP_ROUTE", gateway(), "INSERT_FIRST", route);
        }
        patches
    }

    /// Connections that come in there say so. What is said later of the same ones counts.
    pub(super) fn describe(&mut self, place: Where<'_>, origin: &ConnectionOrigin<'_>) {
        self.network(place, "INSERT_BEFORE", borrowed::describing(origin));
    }

    /// The filter of a port, and behind it the one that holds requests back.
    pub(super) fn filter(&mut self, (port, bind): (u16, u16), socket: &str) {
        for filter in [borrowed::filter(port, socket), borrowed::delaying()] {
            let mut place = manager(Where {
                port: Some(bind),
                sni: None,
            });
            place["listener"]["filterChain"]["filter"]["subFilter"] =
                json!({ "name": FIRST_BEHIND_AUTHORIZATION });
            self.add("HTTP_FILTER", place, "INSERT_BEFORE", filter);
        }
    }

    /// The listener that holds the table.
    pub(super) fn table(&mut self, socket: &str) {
        self.add("LISTENER", gateway(), "ADD", borrowed::table_listener(socket));
    }

    /// The object.
    pub(super) fn into_object(self, site: &Site) -> Value {
        json!({
            "apiVersion": "networking.istio.io/v1alpha3",
            "kind": "EnvoyFilter",
            "metadata": site.metadata("sealgate"),
            "spec": {
                "workloadSelector": { "labels": site.selector },
                "configPatches": self.0,
            },
        })
    }

    fn network(&mut self, place: Where<'_>, operation: &str, value: Value) {
        self.add("NETWORK_FILTER", manager(place), operation, value);
    }

    fn add(&mut self, kind: &str, place: Value, operation: &str, value: Value) {
        self.0.push(json!({
            "applyTo": kind,
            "match": place,
            "patch": { "operation": operation, "value": value },
        }));
    }
}

fn gateway() -> Value {
    json!({ "context": "GATEWAY" })
}

fn manager(place: Where<'_>) -> Value {
    let mut chain = json!({ "filter": { "name": MANAGER } });
    if let Some(sni) = place.sni {
        chain["sni"] = json!(sni);
    }
    let mut listener = json!({ "filterChain": chain });
    if let Some(port) = place.port {
        listener["portNumber"] = json!(port);
    }
    json!({ "context": "GATEWAY", "listener": listener })
}
