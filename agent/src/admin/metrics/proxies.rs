//! Proxies: what they have, confirm, reject, and ask for by name.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Flags, amount};
use crate::admin::status::{HeldState, OnDemandStatus, ProxyRefusalStatus, ProxyStatus, Status};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    node: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabel {
    node: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabels {
    node: String,
    r#type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    node: String,
    r#type: String,
    name: String,
}

pub(super) fn register(registry: &mut Registry, status: &Status) {
    connected(registry, &status.proxies);
    states(registry, status);
    unjudged(registry, &status.proxies);
    words(registry, &status.proxies);
    refusals(registry, &status.proxy_refusals);
    on_demand(registry, &status.on_demand);
}

fn connected(registry: &mut Registry, proxies: &[ProxyStatus]) {
    let connected: Gauge = Gauge::default();
    connected.set(amount(proxies.iter().filter(|proxy| proxy.connected).count()));
    registry.register("proxies_connected", "Proxies with an open stream", connected);
}

/// For each proxy, its state, and the number of its certificates in each state.
fn states(registry: &mut Registry, status: &Status) {
    let states = Flags::<NodeLabels>::default();
    let held = Family::<NodeLabels, Gauge>::default();
    for proxy in &status.proxies {
        let labels = |state: HeldState| NodeLabels {
            node: proxy.node.clone(),
            state: state.as_str().to_owned(),
        };
        states.get_or_create(&labels(proxy.state)).set(1);
        HeldState::ALL
            .into_iter()
            .for_each(|state| drop(held.get_or_create(&labels(state))));
    }
    for own in status.credentials.iter().flat_map(|own| &own.proxies) {
        let labels = NodeLabels {
            node: own.node.clone(),
            state: own.state.as_str().to_owned(),
        };
        held.get_or_create(&labels).inc();
    }
    registry.register("proxy_state", "1 for the current state of a proxy", states);
    registry.register(
        "proxy_credentials",
        "Certificates that a proxy has or asks for, by state",
        held,
    );
}

fn unjudged(registry: &mut Registry, proxies: &[ProxyStatus]) {
    let unjudged = Family::<NodeLabel, Gauge>::default();
    for proxy in proxies {
        let node = proxy.node.clone();
        unjudged
            .get_or_create(&NodeLabel { node })
            .set(amount(proxy.unjudged));
    }
    registry.register(
        "proxy_unjudged",
        "Resources that a proxy keeps from a previous agent, because their objects cannot be read",
        unjudged,
    );
}

/// A disconnected proxy is eventually forgotten, with its counters.
fn words(registry: &mut Registry, proxies: &[ProxyStatus]) {
    let confirmations = Family::<TypeLabels, Counter>::default();
    let refusals = Family::<TypeLabels, Counter>::default();
    for proxy in proxies {
        for own in &proxy.types {
            let labels = TypeLabels {
                node: proxy.node.clone(),
                r#type: own.r#type.clone(),
            };
            confirmations.get_or_create(&labels).inc_by(own.confirmations);
            refusals.get_or_create(&labels).inc_by(own.refusals);
        }
    }
    registry.register(
        "xds_acknowledgements",
        "Responses that a proxy accepted",
        confirmations,
    );
    registry.register("xds_refusals", "Responses that a proxy rejected", refusals);
}

fn refusals(registry: &mut Registry, refusals: &[ProxyRefusalStatus]) {
    let family = Flags::<RefusalLabels>::default();
    for refusal in refusals {
        let labels = RefusalLabels {
            node: refusal.node.clone(),
            r#type: refusal.r#type.clone(),
            name: refusal.name.clone().unwrap_or_default(),
        };
        family.get_or_create(&labels).set(1);
    }
    registry.register(
        "proxy_refusals",
        "1 for each resource that a connected proxy currently rejects",
        family,
    );
}

fn on_demand(registry: &mut Registry, status: &OnDemandStatus) {
    let resident: Gauge = Gauge::default();
    resident.set(amount(status.resident));
    registry.register(
        "on_demand_names_resident",
        "Names that proxies hold because a handshake asked for them",
        resident,
    );
    let counters = [
        (
            "on_demand_names_unknown",
            "Handshakes for a name that no server serves",
            status.unknown,
        ),
        (
            "on_demand_names_taken_back",
            "Names taken back that are still served",
            status.taken_back,
        ),
    ];
    for (name, help, value) in counters {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
}
