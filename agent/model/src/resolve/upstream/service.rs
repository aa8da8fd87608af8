//! The endpoints of a Service's port: those of a subset, if the destination is one.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::distribution;
use super::endpoints::{PodEndpoint, Readiness, from_endpoints, from_slices};
use super::{Doubt, Doubts, FoundEndpoints, port_number};
use crate::resolve::catalog::{Catalog, Known, service_ports};
use crate::resolve::lowered::Use;
use crate::resolve::placement::{PlacedEndpoint, Whereabouts};
use crate::resolve::pods::{PodSelector, SubsetLabels};
use crate::resolved::{Endpoint, EndpointHealth, EndpointSource};
use crate::{Code, Meta, validate};

/// A Service as a destination.
#[derive(Clone, Copy)]
pub(super) struct ServiceView<'v> {
    pub(super) of: &'v Use,
    pub(super) meta: &'v Meta,
    pub(super) service: &'v Service,
    pub(super) known: &'v Known,
    pub(super) catalog: &'v Catalog,
    /// The labels of the subset.
    pub(super) labels: &'v SubsetLabels,
    /// Whether labels of Pods say where its endpoints are.
    pub(super) has_pods: bool,
    /// Whether hints for zones count.
    pub(super) is_hinted: bool,
    /// Whether endpoints that are not ready count as missing in their localities.
    pub(super) counts_unready: bool,
}

/// What is known about the pods that a subset of a Service selects.
enum PodsOfSubset<'p> {
    /// No subset, or one that selects all.
    All,
    Unknown,
    Known(PodSelector<'p>),
}

impl<'v> ServiceView<'v> {
    pub(super) fn found(self, doubts: &mut Doubts) -> FoundEndpoints<'v> {
        let (meta, port) = (self.meta, self.of.port);
        let mut ports = service_ports(self.service).iter();
        let Some(own) = ports.find(|own| u32::try_from(own.port) == Ok(port)) else {
            let message = format!("Service {}/{} has no port {port}", meta.namespace, meta.name);
            doubts.push(Doubt::lost(Code::UnknownPort, message));
            return FoundEndpoints::default();
        };
        let protocol = own.app_protocol.as_deref().or(own.name.as_deref());
        let protocol = protocol.unwrap_or_default();
        if let Some(endpoints) = self.known_one_by_one(own) {
            return FoundEndpoints {
                protocol,
                source: EndpointSource::Pushed,
                endpoints: self.of_subset(endpoints, doubts),
            };
        }
        let endpoint = self.by_name(doubts);
        FoundEndpoints {
            protocol,
            source: match endpoint {
                Some(_) => EndpointSource::Dns,
                None => EndpointSource::Pushed,
            },
            endpoints: endpoint.into_iter().collect(),
        }
    }

    fn known_one_by_one(self, own: &ServicePort) -> Option<Vec<PodEndpoint<'v>>> {
        if !self.known.slices.is_empty() {
            let slices = self.known.slices.iter().map(|(_, slice)| &**slice);
            return Some(from_slices(slices, self.service, own));
        }
        let endpoints = self.known.endpoints.as_ref()?;
        Some(from_endpoints(endpoints, own))
    }

    /// The name that it is resolved by: its own, or another one.
    fn by_name(self, doubts: &mut Doubts) -> Option<PlacedEndpoint<'v>> {
        let (meta, of) = (self.meta, self.of);
        if !self.labels.is_empty() {
            let message = format!(
                "{}: its endpoints are not known one by one, so that none can be selected by labels; all are used",
                of.host
            );
            doubts.push(Doubt::new(Code::SubsetNotCarriedOut, message));
        }
        let external = self.service.spec.as_ref()?.external_name.clone();
        if let Some(name) = external.as_deref().filter(|name| !is_dns_name(name)) {
            let message = format!(
                "Service {}/{}: externalName {name:?} is not a DNS name",
                meta.namespace, meta.name
            );
            doubts.push(Doubt::lost(Code::BadHost, message));
            return None;
        }
        let endpoint = Endpoint {
            address: external.unwrap_or_else(|| of.host.to_string()),
            port: port_number(of.port)?,
            health: EndpointHealth::default(),
            weight: 1,
        };
        Some(PlacedEndpoint {
            endpoint,
            position: Whereabouts::default(),
        })
    }

    /// The endpoints of these that the subset has; terminating ones only if no other is left.
    fn of_subset(self, found: Vec<PodEndpoint<'v>>, doubts: &mut Doubts) -> Vec<PlacedEndpoint<'v>> {
        let ready = found.iter().filter(|own| own.is_ready()).count();
        let mut selected = self.selected(found, doubts);
        if ready > 0 && !selected.iter().any(PodEndpoint::is_usable) {
            let message = format!(
                "{}: no ready endpoint (of {ready}) belongs to a Pod with the labels of the subset {}",
                self.of.host, self.of.subset
            );
            doubts.push(Doubt::lost(Code::EmptySubset, message));
        }
        let is_any_ready = selected.iter().any(PodEndpoint::is_ready);
        selected.retain(|own| match own.readiness {
            Readiness::Ready => true,
            Readiness::Leaving => !is_any_ready,
            Readiness::NotReady => self.counts_unready,
        });
        let own = self.catalog.position();
        if self.is_hinted {
            distribution::follow_hints(self.meta, own.locality.zone, &mut selected);
        }
        let pods = self.catalog.pods();
        let placed = selected.into_iter().map(|endpoint| {
            let pod = pods.of(&self.meta.namespace, endpoint.target);
            endpoint.placed(pod.filter(|_| self.has_pods), own.locality.region)
        });
        placed.collect()
    }

    fn selected(self, found: Vec<PodEndpoint<'v>>, doubts: &mut Doubts) -> Vec<PodEndpoint<'v>> {
        match self.pods_of_subset() {
            PodsOfSubset::All => found,
            PodsOfSubset::Unknown => {
                let message = format!(
                    "{}: no Pod in the namespace {} has been read: all endpoints are used",
                    self.of.host, self.meta.namespace
                );
                doubts.push(Doubt::new(Code::SubsetNotCarriedOut, message));
                found
            }
            PodsOfSubset::Known(selector) => {
                let own = found.into_iter().filter(|own| selector.selects(own.target));
                own.collect()
            }
        }
    }

    fn pods_of_subset(self) -> PodsOfSubset<'v> {
        if self.labels.is_empty() {
            return PodsOfSubset::All;
        }
        let pods = self.catalog.pods();
        let selector = pods.selector(&self.meta.namespace, self.labels);
        selector.map_or(PodsOfSubset::Unknown, PodsOfSubset::Known)
    }
}

/// Whether it is a DNS name as the API server requires; an address is not.
fn is_dns_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    validate::is_name_of_host(&name) && name.parse::<IpAddr>().is_err()
}
