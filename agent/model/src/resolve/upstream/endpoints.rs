//! The endpoints of a Service's port, from its slices or from the older Endpoints.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Endpoints as CoreEndpoints, ObjectReference, Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint as SliceEndpoint, EndpointSlice, ForZone};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::Meta;
use crate::locality::LocalityRef;
use crate::resolve::placement::{PlacedEndpoint, Whereabouts};
use crate::resolved::{Endpoint, EndpointHealth};

/// The labels of an endpoint with its locality; Istio's takes precedence.
pub(super) const LOCALITY_LABELS: [&str; 2] = ["topology.istio.io/locality", "istio-locality"];

/// Whether an endpoint gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    /// Only if no other is left: it is terminating, but still answers.
    Leaving,
    /// Not yet, or not at present.
    NotReady,
}

/// An endpoint, and what it belongs to.
pub(super) struct PodEndpoint<'e> {
    pub(super) endpoint: Endpoint,
    pub(super) target: Option<&'e ObjectReference>,
    pub(super) readiness: Readiness,
    zone: &'e str,
    node: Option<&'e str>,
    /// The zones that should use it.
    pub(super) hints: &'e [ForZone],
}

impl<'e> PodEndpoint<'e> {
    pub(super) fn is_ready(&self) -> bool {
        self.readiness == Readiness::Ready
    }

    pub(super) fn is_usable(&self) -> bool {
        self.readiness != Readiness::NotReady
    }

    /// Where it is. The labels of its Pod count first; its zone is known without them. Without labels, its region is
    /// that of the gateway: another one would be unknown without reading Nodes.
    pub(super) fn placed(self, pod: Option<&'e Meta>, own_region: &'e str) -> PlacedEndpoint<'e> {
        let label = |key: &str| {
            let value = pod.and_then(|pod| pod.labels.get(key)).map(String::as_str);
            value.filter(|value| !value.is_empty())
        };
        let locality = LOCALITY_LABELS.iter().find_map(|key| label(key));
        let locality = locality.map(LocalityRef::of_label).unwrap_or_else(|| {
            let zone = label(crate::locality::ZONE_LABEL).unwrap_or(self.zone);
            let region = label(crate::locality::REGION_LABEL);
            LocalityRef {
                region: region.unwrap_or(if zone.is_empty() { "" } else { own_region }),
                zone,
                sub_zone: "",
            }
        });
        let health = match self.is_usable() {
            true => EndpointHealth::Ready,
            false => EndpointHealth::NotReady,
        };
        PlacedEndpoint {
            endpoint: Endpoint {
                health,
                ..self.endpoint
            },
            position: Whereabouts {
                locality,
                node: self.node,
                labels: pod.map(|pod| &pod.labels),
            },
        }
    }
}

/// The endpoints of the Service's first address family. The other family has the same Pods again: it counts if the
/// first has none.
pub(super) fn from_slices<'e>(
    slices: impl Iterator<Item = &'e EndpointSlice>,
    service: &Service,
    own: &ServicePort,
) -> Vec<PodEndpoint<'e>> {
    let all: Vec<_> = slices.flat_map(|slice| from_slice(slice, own)).collect();
    let Some(is_first_ipv6) = is_ipv6_first(service) else {
        return all;
    };
    let is_first = |own: &PodEndpoint<'_>| own.endpoint.address.contains(':') == is_first_ipv6;
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().partition(is_first);
    match first.iter().any(PodEndpoint::is_usable) {
        true => first,
        false => second,
    }
}

/// None if the Service does not say; the API server always sets it.
fn is_ipv6_first(service: &Service) -> Option<bool> {
    let spec = service.spec.as_ref()?;
    let family = spec.ip_families.as_ref().and_then(|families| families.first());
    let by_family = family.map(|family| family == "IPv6");
    let address = || spec.cluster_ip.as_ref()?.parse::<IpAddr>().ok();
    by_family.or_else(|| address().map(|address| address.is_ipv6()))
}

fn from_slice<'e>(slice: &'e EndpointSlice, own: &ServicePort) -> Vec<PodEndpoint<'e>> {
    let ports = slice.ports.as_deref().unwrap_or_default();
    let name = own.name.as_deref().unwrap_or_default();
    let named = ports
        .iter()
        .find(|port| port.name.as_deref().unwrap_or_default() == name);
    let Some(port) = named
        .and_then(|port| port.port)
        .and_then(|port| u16::try_from(port).ok())
    else {
        return Vec::new();
    };
    let endpoints = slice.endpoints.iter().flat_map(|list| list.iter());
    let used = endpoints.filter_map(|endpoint| Some((endpoint, readiness(endpoint)?)));
    let addressed = used.flat_map(|(endpoint, readiness)| {
        let addresses = endpoint.addresses.iter();
        addresses.map(move |address| (endpoint, readiness, address))
    });
    addressed
        .filter(|(_, _, address)| address.parse::<IpAddr>().is_ok())
        .map(|(endpoint, readiness, address)| PodEndpoint {
            endpoint: Endpoint {
                address: address.clone(),
                port,
                health: EndpointHealth::default(),
                weight: 1,
            },
            target: endpoint.target_ref.as_ref(),
            readiness,
            zone: endpoint.zone.as_deref().unwrap_or_default(),
            node: endpoint.node_name.as_deref(),
            hints: endpoint
                .hints
                .as_ref()
                .and_then(|hints| hints.for_zones.as_deref())
                .unwrap_or_default(),
        })
        .collect()
}

/// None for those that are terminating and no longer answer. `ready` is true by default, `serving` the same as `ready`,
/// and `terminating` false.
fn readiness(endpoint: &SliceEndpoint) -> Option<Readiness> {
    let conditions = endpoint.conditions.as_ref();
    let is_ready = conditions.and_then(|own| own.ready).unwrap_or(true);
    let is_serving = conditions.and_then(|own| own.serving).unwrap_or(is_ready);
    let is_terminating = conditions.and_then(|own| own.terminating).unwrap_or(false);
    match (is_ready, is_terminating, is_serving) {
        (true, _, _) => Some(Readiness::Ready),
        (false, true, true) => Some(Readiness::Leaving),
        (false, true, false) => None,
        (false, false, _) => Some(Readiness::NotReady),
    }
}

pub(super) fn from_endpoints<'e>(endpoints: &'e CoreEndpoints, own: &ServicePort) -> Vec<PodEndpoint<'e>> {
    let mut all = Vec::new();
    for subset in endpoints.subsets.iter().flatten() {
        let name = own.name.as_deref().unwrap_or_default();
        let named = subset
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref().unwrap_or_default() == name);
        let target = match &own.target_port {
            Some(IntOrString::Int(port)) => Some(*port),
            _ => None,
        };
        let Some(port) = named
            .map(|port| port.port)
            .or(target)
            .and_then(|port| u16::try_from(port).ok())
        else {
            continue;
        };
        let addresses = subset.addresses.iter().flatten();
        let addresses = addresses.filter(|address| address.ip.parse::<IpAddr>().is_ok());
        all.extend(addresses.map(|address| PodEndpoint {
            endpoint: Endpoint {
                address: address.ip.clone(),
                port,
                health: EndpointHealth::default(),
                weight: 1,
            },
            target: address.target_ref.as_ref(),
            readiness: Readiness::Ready,
            zone: "",
            node: address.node_name.as_deref(),
            hints: &[],
        }));
    }
    all
}
