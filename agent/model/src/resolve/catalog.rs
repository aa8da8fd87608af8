//! Services as they are known: by host, with their ports, endpoints and subsets. An object touches its own host alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use sealgate_core::config::{Destination, DestinationRuleSpec, ServiceEntrySpec, Subset};

use super::addresses::AddressPolicy;
use super::claims::{Claim, Claimant, Tenure};
use super::lowered::{Lowered, Spot, Use};
use super::own_gateway::Gateway;
use super::service::is_exported;
use super::upstream_tls;
use crate::Code;
use crate::store::Moved;
use crate::tenancy::{self, Authority, SERVICE_SUFFIX, Tenancy, Tenants};
use crate::{Finding, Severity};
use crate::{Kind, Meta, Object, ObjectRef};

const SLICE_LABEL: &str = "kubernetes.io/service-name";

/// Objects by name, in order; a map of one would take the room of eleven.
type NamedObjects<T> = Vec<(ObjectRef, Arc<T>)>;

/// Objects that speak for a host, in the order in which they count.
type Voices<T> = Vec<(VoiceRank, Arc<T>)>;

/// Whose word comes first: by authority, then by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct VoiceRank {
    authority: Authority,
    created: Option<i64>,
    name: ObjectRef,
}

/// What is known of one host. Of several ServiceEntries or DestinationRules the first in order stands; those that may not
/// speak for the host are kept apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    entries: Voices<ServiceEntrySpec>,
    pub(super) service: Option<(Arc<Meta>, Arc<Service>)>,
    pub(super) slices: NamedObjects<EndpointSlice>,
    pub(super) endpoints: Option<Arc<Endpoints>>,
    rules: Voices<DestinationRuleSpec>,
    /// The ServiceEntry that stands.
    holder: Option<ObjectRef>,
    /// Of namespaces whose word does not count.
    strangers: Vec<ObjectRef>,
    /// How many endpoints it has, all subsets together.
    pub(super) size: usize,
}

impl Known {
    /// The ServiceEntry of the host.
    pub(super) fn entry(&self) -> Option<&ServiceEntrySpec> {
        self.voice().map(|(_, entry)| &**entry)
    }

    fn voice(&self) -> Option<&(VoiceRank, Arc<ServiceEntrySpec>)> {
        let holder = self.holder.as_ref()?;
        self.entries.iter().find(|(rank, _)| rank.name == *holder)
    }

    /// Of those whose word counts most, whoever had the host keeps it; if nobody had, it is the oldest's.
    fn settle_holder(&mut self) {
        let first = self.entries.first().map(|(rank, _)| rank);
        let is_as_good = |rank: &VoiceRank| first.is_some_and(|first| first.authority == rank.authority);
        let stays = self
            .voice()
            .filter(|(rank, _)| is_as_good(rank))
            .map(|(rank, _)| rank);
        self.holder = stays.or(first).map(|rank| rank.name.clone());
    }

    /// A subset. For a host that is no Service of the cluster the rules of whoever named it come first.
    pub(super) fn subset(&self, name: &str, tenancy: Tenancy) -> Option<&Subset> {
        let mut subsets = self.rules(tenancy).flat_map(|rule| &rule.subsets);
        subsets.find(|own| own.name == name)
    }

    /// Whether a DestinationRule asks for TLS to this port, which requests would not have.
    pub(super) fn asks_for_tls(&self, subset: &str, port: u32, tenancy: Tenancy) -> bool {
        let mut policies = self
            .rules(tenancy)
            .filter_map(|rule| rule.traffic_policy.as_deref());
        let part = self.subset(subset, tenancy).filter(|_| !subset.is_empty());
        let part = part.and_then(|own| own.traffic_policy.as_deref());
        upstream_tls::is_asked_for(policies.next(), part, port)
    }

    /// The DestinationRules that count.
    fn rules(&self, tenancy: Tenancy) -> impl Iterator<Item = &DestinationRuleSpec> {
        let entry = self.voice().map(|(rank, _)| &rank.name.namespace);
        let is_own = move |rank: &VoiceRank| Some(&rank.name.namespace) == entry;
        let own = self.rules.iter().filter(move |(rank, _)| is_own(rank));
        let may = move |rank: &VoiceRank| {
            tenancy == Tenancy::Single || rank.authority != Authority::Other || entry.is_none()
        };
        let others = self
            .rules
            .iter()
            .filter(move |(rank, _)| !is_own(rank) && may(rank));
        own.chain(others).map(|(_, rule)| &**rule)
    }

    fn said(&self, host: &str) -> Vec<Finding> {
        let foreign = self.strangers.iter().map(|stranger| foreign(stranger, host));
        let encrypted = self.rules.iter();
        let encrypted = encrypted.flat_map(|(rank, rule)| upstream_tls::findings(&rank.name, rule));
        foreign.chain(encrypted).collect()
    }

    /// As many as a cluster of it may have: those of other ports and those that are not ready are counted too.
    fn count(&self) -> usize {
        if let Some(entry) = self.entry() {
            return entry.endpoints.len().max(1);
        }
        let slices = self
            .slices
            .iter()
            .flat_map(|(_, slice)| slice.endpoints.iter().flatten());
        let sliced: usize = slices.map(|endpoint| endpoint.addresses.len()).sum();
        let older = self.endpoints.iter().flat_map(|own| own.subsets.iter().flatten());
        let older: usize = older
            .map(|subset| subset.addresses.as_ref().map_or(0, Vec::len))
            .sum();
        sliced.max(older).max(usize::from(self.service.is_some()))
    }

    /// The ports of the service; none if there is no service.
    fn ports(&self) -> Vec<u32> {
        match (self.entry(), &self.service) {
            (Some(entry), _) => entry.ports.iter().map(|port| port.number).collect(),
            (None, Some((_, service))) => service_ports(service)
                .iter()
                .filter_map(|port| u32::try_from(port.port).ok())
                .collect(),
            (None, None) => Vec::new(),
        }
    }
}

pub(super) fn service_ports(service: &Service) -> &[ServicePort] {
    let spec = service.spec.as_ref();
    spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default()
}

/// What changes of one host mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostChange {
    /// A destination that names no port may mean another one now.
    pub(super) ports: bool,
    /// Who says what the host is, if that is somebody else now.
    pub(super) holder: Option<Option<Claimant>>,
    /// What is to be said from now on of objects that may not speak for it, or ask for what is not carried out.
    pub(super) said: Vec<Finding>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Catalog {
    /// What is not exported to the gateway's namespace does not exist.
    tenants: Tenants,
    addresses: AddressPolicy,
    hosts: BTreeMap<Arc<str>, Known>,
    /// Hosts that objects spoke for, each with the ports that it had before.
    touched: BTreeMap<Arc<str>, Vec<u32>>,
}

impl Catalog {
    pub(super) fn new(gateway: &Gateway) -> Self {
        Self {
            tenants: gateway.tenants.clone(),
            addresses: gateway.addresses.clone(),
            hosts: BTreeMap::new(),
            touched: BTreeMap::new(),
        }
    }

    /// Somebody had a host of no Service, and keeps it if an object still says what it is.
    pub(super) fn remember(&mut self, host: &Arc<str>, holder: &Claimant) {
        let name = holder.name.clone().unwrap_or_default();
        let known = self.hosts.entry(Arc::clone(host)).or_default();
        known.holder = Some(ObjectRef::new(
            Kind::ServiceEntry,
            Arc::clone(&holder.namespace),
            name,
        ));
        self.touched.entry(Arc::clone(host)).or_default();
    }

    /// Takes a change of an object; what it means is found by [`Self::settle`].
    pub(super) fn apply(&mut self, moved: &Moved) {
        for (object, there) in [(&moved.before, false), (&moved.now, true)] {
            let Some(object) = object else { continue };
            for host in self.hosts_of(object) {
                let known = self.hosts.get(&host);
                let before = || known.map(Known::ports).unwrap_or_default();
                self.touched.entry(host).or_insert_with(before);
            }
            self.change(object, &moved.name, there);
        }
    }

    /// Says of each host that objects spoke for what that means.
    pub(super) fn settle(&mut self) -> BTreeMap<Arc<str>, HostChange> {
        let touched = std::mem::take(&mut self.touched).into_iter();
        touched
            .map(|(host, ports)| {
                let change = self.settle_host(&host, &ports);
                (host, change)
            })
            .collect()
    }

    fn settle_host(&mut self, host: &Arc<str>, ports: &[u32]) -> HostChange {
        let known = self.hosts.entry(Arc::clone(host)).or_default();
        let before = known.holder.clone();
        known.settle_holder();
        known.size = known.count();
        let change = HostChange {
            ports: known.ports() != ports,
            holder: (known.holder != before).then(|| known.holder.as_ref().map(claimant)),
            said: known.said(host),
        };
        if *known == Known::default() {
            self.hosts.remove(host);
        }
        change
    }

    /// Who says what the hosts are that are no Services.
    pub(super) fn claims(&self) -> impl Iterator<Item = (Claim, Tenure)> {
        let held = self
            .hosts
            .iter()
            .filter_map(|(host, known)| Some((host, known.holder.as_ref()?)));
        held.map(|(host, holder)| (Claim::Service(Arc::clone(host)), Tenure::Of(claimant(holder))))
    }

    /// How far namespaces trust each other.
    pub(super) fn tenancy(&self) -> Tenancy {
        self.tenants.tenancy
    }

    /// Where requests may be sent.
    pub(super) fn addresses(&self) -> &AddressPolicy {
        &self.addresses
    }

    pub(super) fn get(&self, host: &str) -> Option<&Known> {
        self.hosts.get(host)
    }

    fn hosts_of(&self, object: &Object) -> Vec<Arc<str>> {
        let service = |meta: &Meta, name: &str| vec![full_name(name, &meta.namespace).into()];
        match object {
            Object::ServiceEntry(meta, spec) if self.sees(&spec.export_to, meta) => spec
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase().into())
                .collect(),
            Object::DestinationRule(meta, spec) if self.sees(&spec.export_to, meta) => {
                service(meta, &spec.host)
            }
            Object::Service(meta, _) | Object::Endpoints(meta, _) => vec![of_service(meta, &meta.name)],
            Object::EndpointSlice(meta, _) => {
                let name = meta.labels.get(SLICE_LABEL);
                name.map(|name| of_service(meta, name)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn sees(&self, export_to: &[String], meta: &Meta) -> bool {
        is_exported(export_to, &meta.namespace, &self.tenants.gateway)
    }

    fn change(&mut self, object: &Object, name: &ObjectRef, there: bool) {
        for host in self.hosts_of(object) {
            let authority = self.tenants.authority(&name.namespace, &host);
            let counts = self.tenants.counts(authority, &host);
            let rank = VoiceRank {
                authority,
                created: object.meta().created,
                name: name.clone(),
            };
            let known = self.hosts.entry(Arc::clone(&host)).or_default();
            match object {
                Object::ServiceEntry(..) | Object::DestinationRule(..) if !counts => {
                    known.strangers.retain(|stranger| stranger != name);
                    known.strangers.extend(there.then(|| name.clone()));
                }
                Object::ServiceEntry(_, spec) => put(&mut known.entries, &rank, spec, there),
                Object::DestinationRule(_, spec) => put(&mut known.rules, &rank, spec, there),
                Object::EndpointSlice(_, slice) => put(&mut known.slices, name, slice, there),
                Object::Service(meta, service) => {
                    known.service = there.then(|| (Arc::clone(meta), Arc::clone(service)));
                }
                Object::Endpoints(_, endpoints) => known.endpoints = there.then(|| Arc::clone(endpoints)),
                Object::Secret(_) | Object::Gateway(..) | Object::VirtualService(..) => {}
            }
        }
    }

    /// The cluster of a destination that a VirtualService names, for requests of a listener's port.
    pub(super) fn cluster(
        &self,
        (to, spot): (&Destination, Spot),
        service: &Meta,
        listener: u16,
        lowered: &mut Lowered,
    ) -> String {
        let host: Arc<str> = full_name(&to.host, &service.namespace).into();
        let place = ObjectRef::new(Kind::VirtualService, &*service.namespace, &*service.name);
        let port = match &to.port {
            Some(port) => port.number,
            None => self.default_port(&host, (&place, spot), listener, lowered),
        };
        let subset = to.subset.as_deref().unwrap_or_default();
        let name = format!("outbound|{port}|{subset}|{host}");
        lowered.add_use(Use {
            cluster: name.as_str().into(),
            host,
            port,
            subset: subset.into(),
            place,
            spot,
        });
        name
    }

    /// The service's only port; of several the listener's.
    fn default_port(
        &self,
        host: &Arc<str>,
        (place, spot): (&ObjectRef, Spot),
        listener: u16,
        lowered: &mut Lowered,
    ) -> u32 {
        lowered.assumed.insert(Arc::clone(host));
        let ports = self.hosts.get(host).map(Known::ports).unwrap_or_default();
        if let [only] = ports.as_slice() {
            return *only;
        }
        if !ports.is_empty() {
            let message =
                format!("{host} has several ports and the destination names none: {listener} is taken");
            lowered
                .findings
                .push(doubt(place, spot, Code::AmbiguousPort, message));
        }
        listener.into()
    }
}

fn claimant(entry: &ObjectRef) -> Claimant {
    Claimant {
        namespace: Arc::clone(&entry.namespace),
        name: Some(Arc::clone(&entry.name)),
    }
}

fn foreign(object: &ObjectRef, host: &str) -> Finding {
    let owner = tenancy::owner(host).unwrap_or_default();
    Finding {
        severity: Severity::Error,
        code: Code::ForeignService,
        object: object.clone(),
        field: None,
        message: format!(
            "{host} is a Service of the namespace {owner}: only objects of {owner} and of the gateway's own namespaces \
             count for it (--tenancy single lets all count)"
        ),
    }
}

/// Something to say of a VirtualService's destination.
pub(super) fn doubt(place: &ObjectRef, spot: Spot, code: Code, message: String) -> Finding {
    Finding {
        severity: Severity::Warning,
        code,
        object: place.clone(),
        field: spot.field(),
        message,
    }
}

fn put<K: Ord + Clone, T>(all: &mut Vec<(K, Arc<T>)>, name: &K, value: &Arc<T>, there: bool) {
    let found = all.binary_search_by(|(own, _)| own.cmp(name));
    match (found, there) {
        (Ok(at), false) => drop(all.remove(at)),
        (Err(at), true) => {
            all.reserve_exact(1);
            all.insert(at, (name.clone(), Arc::clone(value)));
        }
        (Ok(at), true) => {
            if let Some(own) = all.get_mut(at) {
                own.1 = Arc::clone(value);
            }
        }
        (Err(_), false) => {}
    }
}

fn of_service(meta: &Meta, name: &str) -> Arc<str> {
    format!("{name}.{}{SERVICE_SUFFIX}", meta.namespace).into()
}

/// A name without a dot is a Service of the object's own namespace, as in Istio.
pub(super) fn full_name(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains('.') {
        host
    } else {
        format!("{host}.{namespace}{SERVICE_SUFFIX}")
    }
}
