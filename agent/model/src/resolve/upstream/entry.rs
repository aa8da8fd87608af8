//! The endpoints of a ServiceEntry's port: those that it lists, the WorkloadEntries that it selects, or its own name.

use std::net::IpAddr;

use sealgate_core::config::{ServiceEntryPort, ServiceEntrySpec, WorkloadEntry};

use super::endpoints::LOCALITY_LABELS;
use super::{Doubt, Doubts, FoundEndpoints, port_number};
use crate::locality::LocalityRef;
use crate::resolve::lowered::Use;
use crate::resolve::placement::{PlacedEndpoint, Whereabouts};
use crate::resolve::pods::SubsetLabels;
use crate::resolved::{Endpoint, EndpointHealth, EndpointSource};
use crate::{Code, validate};

/// What `resolution` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// Addresses.
    Static,
    /// Names: all of their addresses.
    Dns,
    /// One name: each new connection goes to one of its addresses.
    DnsRoundRobin,
}

impl Resolution {
    /// For connections to a gateway, the original destination is the gateway itself, so `NONE` is also a name.
    fn of(entry: &ServiceEntrySpec) -> Self {
        match entry.resolution.as_deref() {
            Some("STATIC") => Self::Static,
            Some("DNS_ROUND_ROBIN") => Self::DnsRoundRobin,
            _ => Self::Dns,
        }
    }
}

/// The port that a destination names, with the endpoints of a subset with these labels. `workloads` are those that the
/// entry selects.
pub(super) fn find<'e>(
    of: &Use,
    entry: &'e ServiceEntrySpec,
    workloads: impl Iterator<Item = &'e WorkloadEntry>,
    labels: &SubsetLabels,
    doubts: &mut Doubts,
) -> FoundEndpoints<'e> {
    let Some(own) = entry.ports.iter().find(|own| own.number == of.port) else {
        let message = format!("ServiceEntry {} has no port {}", of.host, of.port);
        doubts.push(Doubt::lost(Code::UnknownPort, message));
        return FoundEndpoints::default();
    };
    let known: Vec<&'e WorkloadEntry> = match entry.endpoints.as_slice() {
        [] => workloads.collect(),
        listed => listed.iter().collect(),
    };
    let mut endpoints = selected(&known, own, labels);
    if known.is_empty() && entry.workload_selector.is_none() {
        endpoints.extend(own_name(of, entry, own, doubts));
    }
    if endpoints.is_empty() {
        doubts.extend(empty(of, entry, known.len()));
    }
    FoundEndpoints {
        protocol: &own.protocol,
        source: source(Resolution::of(entry), &endpoints),
        endpoints,
    }
}

fn source(resolution: Resolution, endpoints: &[PlacedEndpoint<'_>]) -> EndpointSource {
    let is_address = |own: &PlacedEndpoint<'_>| own.endpoint.address.parse::<IpAddr>().is_ok();
    match resolution {
        Resolution::Static if endpoints.iter().all(is_address) => EndpointSource::Pushed,
        Resolution::DnsRoundRobin => EndpointSource::RoundRobinDns,
        Resolution::Static | Resolution::Dns => EndpointSource::Dns,
    }
}

/// The host itself, if DNS may know it.
fn own_name(
    of: &Use,
    entry: &ServiceEntrySpec,
    own: &ServiceEntryPort,
    doubts: &mut Doubts,
) -> Option<PlacedEndpoint<'static>> {
    if Resolution::of(entry) == Resolution::Static {
        return None;
    }
    if of.host.starts_with('*') {
        let message = format!(
            "{} is a wildcard, which DNS does not know: its ServiceEntry needs endpoints",
            of.host
        );
        doubts.push(Doubt::lost(Code::BadHost, message));
        return None;
    }
    port_number(target(own)).map(|port| PlacedEndpoint {
        endpoint: Endpoint {
            address: of.host.to_string(),
            port,
            health: EndpointHealth::default(),
            weight: 1,
        },
        position: Whereabouts::default(),
    })
}

/// The finding about an entry without endpoints; `known` is the number of those without the labels of the subset.
fn empty(of: &Use, entry: &ServiceEntrySpec, known: usize) -> Option<Doubt> {
    if known > 0 && !of.subset.is_empty() {
        let message = format!(
            "{}: no endpoint (of {known}) has the labels of the subset {}",
            of.host, of.subset
        );
        return Some(Doubt::lost(Code::EmptySubset, message));
    }
    (known == 0 && entry.workload_selector.is_some()).then(|| {
        let message = format!(
            "{}: the workloadSelector of its ServiceEntry selects no WorkloadEntry of its namespace (Pods are not \
             selected)",
            of.host
        );
        Doubt::lost(Code::NoWorkload, message)
    })
}

/// The endpoints that have all of these labels.
fn selected<'e>(
    all: &[&'e WorkloadEntry],
    own: &ServiceEntryPort,
    labels: &SubsetLabels,
) -> Vec<PlacedEndpoint<'e>> {
    let has = |endpoint: &&WorkloadEntry| {
        let mut labels = labels.iter();
        labels.all(|(key, value)| endpoint.labels.get(key) == Some(value))
    };
    let selected = all.iter().copied().filter(has);
    let selected = selected.filter(|endpoint| !validate::is_socket(&endpoint.address));
    selected
        .filter_map(|endpoint| {
            let port = endpoint.ports.get(&own.name).copied();
            let own = Endpoint {
                address: endpoint.address.clone(),
                port: port_number(port.unwrap_or_else(|| target(own)))?,
                health: EndpointHealth::default(),
                weight: endpoint.weight.unwrap_or(1),
            };
            let position = Whereabouts {
                locality: locality(endpoint),
                node: None,
                labels: Some(&endpoint.labels),
            };
            Some(PlacedEndpoint {
                endpoint: own,
                position,
            })
        })
        .collect()
}

/// Its `locality`, or else that of its labels.
fn locality(endpoint: &WorkloadEntry) -> LocalityRef<'_> {
    let own = endpoint.locality.as_deref().filter(|own| !own.is_empty());
    if let Some(own) = own {
        return LocalityRef::parse(own);
    }
    let label = LOCALITY_LABELS.iter().find_map(|key| endpoint.labels.get(*key));
    label
        .map(|label| LocalityRef::of_label(label))
        .unwrap_or_default()
}

fn target(port: &ServiceEntryPort) -> u32 {
    port.target_port.unwrap_or(port.number)
}
