//! The state of the source, and how many changes were published.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Flags;
use crate::admin::status::{Status, WatchStatus};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchCountLabels {
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    watch: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchStateLabels {
    watch: String,
    state: String,
}

pub(super) fn register(registry: &mut Registry, status: &Status) {
    let flags = [
        (
            "source_up",
            "1 if all objects have been listed and every watch is working",
            status.source.up,
        ),
        (
            "source_synced",
            "1 once all objects have been listed",
            status.synced,
        ),
    ];
    for (name, help, is_so) in flags {
        let gauge: Gauge = Gauge::default();
        gauge.set(is_so.into());
        registry.register(name, help, gauge);
    }
    watches(registry, &status.source.watches);
    let publications: Counter = Counter::default();
    publications.inc_by(status.publications);
    registry.register("publications", "Changes published to proxies", publications);
}

fn watches(registry: &mut Registry, all: &[WatchStatus]) {
    let by_state = Family::<WatchCountLabels, Gauge>::default();
    let states = Flags::<WatchStateLabels>::default();
    let failures = Family::<WatchLabels, Counter>::default();
    for own in all {
        let (watch, state) = (own.name.clone(), own.state.clone());
        let labels = WatchCountLabels { state: state.clone() };
        by_state.get_or_create(&labels).inc();
        let labels = WatchStateLabels {
            watch: watch.clone(),
            state,
        };
        states.get_or_create(&labels).set(1);
        failures
            .get_or_create(&WatchLabels { watch })
            .inc_by(own.failures);
    }
    registry.register(
        "source_watches",
        "Number of Kubernetes API watches in each state",
        by_state,
    );
    registry.register("watch_state", "1 for the current state of a watch", states);
    registry.register("watch_failures", "Failures of a watch", failures);
}
