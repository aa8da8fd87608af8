//! The preferences of a Service for where its requests go: `trafficDistribution` as Istio interprets it, and the hints
//! of EndpointSlices as kube-proxy does.

use k8s_openapi::api::core::v1::Service;

use super::endpoints::PodEndpoint;
use crate::Meta;
use crate::locality::{REGION_LABEL, SUB_ZONE_LABEL, ZONE_LABEL};
use crate::resolve::placement::{NETWORK_LABEL, NODE_LABEL};
use crate::resolved::{NearLabel, Nearness};

/// Istio's annotation for it, from before Kubernetes had a field.
const ANNOTATION: &str = "networking.istio.io/traffic-distribution";
/// Asks for hints of zones, by the amount of processors there.
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
/// Its older name.
const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";

/// Which of its endpoints are near; none if all are equal.
pub(super) fn wished(meta: &Meta, service: &Service) -> Option<Nearness> {
    let own = service.spec.as_ref()?.traffic_distribution.as_deref();
    let annotation = || meta.annotations.get(ANNOTATION).map(String::as_str);
    let near = own.and_then(labels).or_else(|| annotation().and_then(labels))?;
    let labels = near.iter().map(|key| NearLabel {
        key: (*key).to_owned(),
        value: None,
    });
    Some(Nearness {
        labels: labels.collect(),
        regions: Vec::new(),
    })
}

fn labels(word: &str) -> Option<&'static [&'static str]> {
    let all = &[
        NETWORK_LABEL,
        REGION_LABEL,
        ZONE_LABEL,
        SUB_ZONE_LABEL,
        NODE_LABEL,
    ];
    match word.to_ascii_lowercase().as_str() {
        "preferclose" | "prefersamezone" => Some(&all[..3]),
        "prefersamenode" => Some(all),
        _ => None,
    }
}

/// Keeps only the endpoints with a hint for a zone, if the Service asks for hints, all endpoints have them, and some
/// are for this zone.
pub(super) fn follow_hints(meta: &Meta, zone: &str, endpoints: &mut Vec<PodEndpoint<'_>>) {
    let asks = [TOPOLOGY_MODE, TOPOLOGY_HINTS].iter().any(|name| {
        let mode = meta.annotations.get(*name);
        mode.is_some_and(|mode| mode == "Auto" || mode == "auto")
    });
    let is_for_zone = |own: &PodEndpoint<'_>| own.hints.iter().any(|hint| hint.name == zone);
    let has_hints = |own: &PodEndpoint<'_>| !own.hints.is_empty();
    if asks && !zone.is_empty() && endpoints.iter().all(has_hints) && endpoints.iter().any(is_for_zone) {
        endpoints.retain(is_for_zone);
    }
}
