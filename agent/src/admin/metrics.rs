//! The status as Prometheus text. Gauges are read from the engine at each scrape: there is no second account that
//! could disagree with `/api/status`.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::status::{BudgetStatus, CredentialStatus, HeldState, OnDemandStatus, ProxyRefusalStatus, Status};

type Float = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CredentialLabels {
    name: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    name: String,
    state: String,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HolderLabels {
    name: String,
    kind: String,
    state: String,
}

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
struct RefusalLabels {
    node: String,
    r#type: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FindingLabels {
    object: String,
    code: String,
    severity: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabels {
    namespace: String,
    resource: String,
}

pub(super) fn render(status: &Status) -> String {
    let mut registry = Registry::with_prefix("sealgate");
    source(&mut registry, status);
    credentials(&mut registry, &status.credentials);
    holders(&mut registry, &status.credentials);
    proxies(&mut registry, status);
    proxy_refusals(&mut registry, &status.proxy_refusals);
    on_demand(&mut registry, &status.on_demand);
    findings(&mut registry, status);
    budgets(&mut registry, &status.budgets);
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &registry) {
        text.clear();
        // Writing to a string cannot fail.
        let _ = write!(text, "# {error}\n# EOF\n");
    }
    text
}

fn source(registry: &mut Registry, status: &Status) {
    let up: Gauge = Gauge::default();
    up.set(status.source.up.into());
    registry.register(
        "source_up",
        "Whether the source's list is complete and followed",
        up,
    );
    let watches = Family::<WatchLabels, Gauge>::default();
    for watch in &status.source.watches {
        watches
            .get_or_create(&WatchLabels {
                state: watch.state.clone(),
            })
            .inc();
    }
    registry.register(
        "source_watches",
        "Watches of the Kubernetes API, by state",
        watches,
    );
    let publications: Counter = Counter::default();
    publications.inc_by(status.publications);
    registry.register("publications", "Changes published to proxies", publications);
    let proxies: Gauge = Gauge::default();
    proxies.set(
        status
            .proxies
            .iter()
            .filter(|proxy| proxy.connected)
            .count()
            .try_into()
            .unwrap_or(i64::MAX),
    );
    registry.register("proxies_connected", "Proxies with an open stream", proxies);
}

fn credentials(registry: &mut Registry, credentials: &[CredentialStatus]) {
    let states = Family::<StateLabels, Gauge>::default();
    let expiries = Family::<CredentialLabels, Float>::default();
    let rotations = Family::<CredentialLabels, Float>::default();
    for credential in credentials {
        let labels = CredentialLabels {
            name: credential.name.clone(),
            kind: credential.kind.clone(),
        };
        let state = StateLabels {
            name: credential.name.clone(),
            state: credential.state.clone(),
            reason: credential.reason.clone().unwrap_or_default(),
        };
        states.get_or_create(&state).set(1);
        if let Some(days) = credential.days_left {
            expiries.get_or_create(&labels).set(days as f64);
        }
        if let Some(ms) = credential.rotation_ms {
            rotations.get_or_create(&labels).set(ms / 1000.0);
        }
    }
    registry.register(
        "credential_state",
        "1 for the state that a credential is in",
        states,
    );
    registry.register(
        "credential_days_left",
        "Days until the certificate expires",
        expiries,
    );
    registry.register(
        "credential_rotation_seconds",
        "From publication to the slowest proxy's confirmation, last rotation",
        rotations,
    );
}

/// By certificate how many proxies are in each state; one series for each certificate and proxy would be millions.
fn holders(registry: &mut Registry, credentials: &[CredentialStatus]) {
    let holders = Family::<HolderLabels, Gauge>::default();
    for credential in credentials.iter().filter(|own| own.served) {
        for state in HeldState::ALL {
            let labels = HolderLabels {
                name: credential.name.clone(),
                kind: credential.kind.clone(),
                state: state.as_str().to_owned(),
            };
            let count = credential.proxies.iter().filter(|held| held.state == state);
            holders.get_or_create(&labels).set(amount(count.count()));
        }
    }
    registry.register(
        "credential_proxies",
        "Proxies that have a certificate as it is served, or do not, by state",
        holders,
    );
}

/// By proxy what it is in, and how many of its certificates are in each state.
fn proxies(registry: &mut Registry, status: &Status) {
    let states = Family::<NodeLabels, Gauge>::default();
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
    let unjudged = Family::<NodeLabel, Gauge>::default();
    for proxy in &status.proxies {
        let node = proxy.node.clone();
        let count = i64::try_from(proxy.unjudged).unwrap_or(i64::MAX);
        unjudged.get_or_create(&NodeLabel { node }).set(count);
    }
    registry.register(
        "proxy_unjudged",
        "Resources that a proxy keeps of an agent before this one, because their objects cannot be read",
        unjudged,
    );
    registry.register("proxy_state", "1 for the state that a proxy is in", states);
    registry.register(
        "proxy_credentials",
        "Certificates that a proxy has as they are served, or does not, by state",
        held,
    );
}

fn proxy_refusals(registry: &mut Registry, refusals: &[ProxyRefusalStatus]) {
    let family = Family::<RefusalLabels, Gauge>::default();
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
        "1 for a resource that a connected proxy refuses now",
        family,
    );
}

fn amount(count: usize) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

fn on_demand(registry: &mut Registry, status: &OnDemandStatus) {
    let resident: Gauge = Gauge::default();
    resident.set(status.resident.try_into().unwrap_or(i64::MAX));
    registry.register(
        "on_demand_names_resident",
        "Names whose certificate proxies asked for and hold",
        resident,
    );
    let counters = [
        (
            "on_demand_names_unknown",
            "Questions for a name that nobody serves",
            status.unknown,
        ),
        (
            "on_demand_names_taken_back",
            "Names that were taken back and are still served",
            status.taken_back,
        ),
    ];
    for (name, help, value) in counters {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
}

fn budgets(registry: &mut Registry, budgets: &[BudgetStatus]) {
    let used = Family::<BudgetLabels, Gauge>::default();
    let limits = Family::<BudgetLabels, Gauge>::default();
    for budget in budgets {
        let labels = BudgetLabels {
            namespace: budget.namespace.clone(),
            resource: budget.resource.clone(),
        };
        let amount = |number: u64| number.try_into().unwrap_or(i64::MAX);
        used.get_or_create(&labels).set(amount(budget.used));
        limits.get_or_create(&labels).set(amount(budget.limit));
    }
    registry.register("budget_used", "What a namespace uses of a resource", used);
    registry.register("budget_limit", "What a namespace may use of a resource", limits);
}

fn findings(registry: &mut Registry, status: &Status) {
    let family = Family::<FindingLabels, Gauge>::default();
    for finding in &status.refusals {
        let labels = FindingLabels {
            object: finding.object.clone(),
            code: finding.code.clone(),
            severity: finding.severity.clone(),
        };
        family.get_or_create(&labels).inc();
    }
    registry.register("findings", "What is refused or doubtful now", family);
}
