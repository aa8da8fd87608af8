//! The known services, by host, with their ports and endpoints and the DestinationRules that apply to them. A changed
//! object affects only its host; a DestinationRule for a wildcard affects the hosts within it that it may apply to.

mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Endpoints, Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use sealgate_core::config::{Destination, DestinationRuleSpec, ServiceEntrySpec, WorkloadEntry};

use super::addresses::AddressPolicy;
use super::claims::{Claim, Claimant, Tenure};
use super::index::Index;
use super::lowered::{Lowered, Spot, Use};
use super::own_gateway::Gateway;
use super::placement::Whereabouts;
use super::pods::{MovedPods, Pods, pod_name};
use super::rule_book::RuleBook;
use super::service::is_exported;
use super::upstream_tls;
use super::workloads::Workloads;
use crate::Code;
use crate::few::{self, Few};
use crate::locality::Locality;
use crate::store::Moved;
use crate::tenancy::{Authority, SERVICE_SUFFIX, Tenants};
use crate::{Finding, Severity};
use crate::{Kind, Meta, Object, ObjectRef};

const SLICE_LABEL: &str = "kubernetes.io/service-name";

/// Objects by name, in order. A map with one object would take the memory of eleven.
type NamedObjects<T> = Vec<(ObjectRef, Arc<T>)>;

/// Objects that define a host, in order of precedence.
type Voices<T> = Vec<(VoiceRank, Arc<T>)>;

/// The order of precedence: by authority, then by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct VoiceRank {
    authority: Authority,
    created: Option<i64>,
    name: ObjectRef,
}

/// A DestinationRule, with the findings about its TLS: computed once, and reported whenever something about the host
/// changes.
#[derive(Debug, PartialEq)]
struct KnownRule {
    spec: Arc<DestinationRuleSpec>,
    said: Vec<Finding>,
}

impl KnownRule {
    fn new(name: &ObjectRef, spec: &Arc<DestinationRuleSpec>) -> Self {
        Self {
            spec: Arc::clone(spec),
            said: upstream_tls::findings(name, spec),
        }
    }
}

/// What is known about one host. Of several ServiceEntries, one is in effect; those that may not define the host are
/// kept apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    entries: Voices<ServiceEntrySpec>,
    pub(super) service: Option<(Arc<Meta>, Arc<Service>)>,
    pub(super) slices: NamedObjects<EndpointSlice>,
    pub(super) endpoints: Option<Arc<Endpoints>>,
    /// DestinationRules that name exactly this host, whether for this gateway or not.
    rules: NamedObjects<KnownRule>,
    /// The ServiceEntry that is in effect.
    holder: Option<ObjectRef>,
    /// ServiceEntries in namespaces that may not define the host.
    strangers: Few<ObjectRef>,
    /// How many endpoints it has, all subsets together.
    pub(super) size: usize,
}

impl Known {
    /// The ServiceEntry of the host.
    pub(super) fn entry(&self) -> Option<&ServiceEntrySpec> {
        self.voice().map(|(_, entry)| &**entry)
    }

    fn is_held_by(&self, namespace: &str) -> bool {
        self.holder
            .as_ref()
            .is_some_and(|holder| *holder.namespace == *namespace)
    }

    fn voice(&self) -> Option<&(VoiceRank, Arc<ServiceEntrySpec>)> {
        let holder = self.holder.as_ref()?;
        self.entries.iter().find(|(rank, _)| rank.name == *holder)
    }

    /// Among those with the highest authority, the current holder keeps the host; without one, the oldest gets it.
    fn settle_holder(&mut self) {
        let first = self.entries.first().map(|(rank, _)| rank);
        let is_as_good = |rank: &VoiceRank| first.is_some_and(|first| first.authority == rank.authority);
        let stays = self
            .voice()
            .filter(|(rank, _)| is_as_good(rank))
            .map(|(rank, _)| rank);
        self.holder = stays.or(first).map(|rank| rank.name.clone());
    }

    /// The names that certificates of its endpoints should have.
    pub(super) fn names(&self) -> &[String] {
        self.entry()
            .map(|entry| entry.subject_alt_names.as_slice())
            .unwrap_or_default()
    }

    /// Whether any of its endpoints belongs to one of these pods.
    pub(super) fn has_pod(&self, is_one: impl Fn(&str) -> bool) -> bool {
        let sliced = self
            .slices
            .iter()
            .flat_map(|(_, slice)| slice.endpoints.iter().flatten());
        let sliced = sliced.map(|endpoint| endpoint.target_ref.as_ref());
        let older = self.endpoints.iter().flat_map(|own| own.subsets.iter().flatten());
        let older = older.flat_map(|subset| subset.addresses.iter().flatten());
        let older = older.map(|address| address.target_ref.as_ref());
        sliced.chain(older).filter_map(pod_name).any(is_one)
    }

    /// How many endpoints a cluster of it may have at most: those of other ports and those that are not ready are
    /// counted too.
    fn count(&self, selected: usize) -> usize {
        if let Some(entry) = self.entry() {
            return entry.endpoints.len().max(selected).max(1);
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

/// The consequences of changes to one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostChange {
    /// Whether a destination without a port may now have a different one.
    pub(super) ports: bool,
    /// Who defines the host, if that has changed.
    pub(super) holder: Option<Option<Claimant>>,
    /// The current findings about objects that may not define it, or that ask for something unsupported; none if no such
    /// object changed.
    pub(super) said: Option<Vec<Finding>>,
}

/// A host whose objects changed.
#[derive(Debug, Default)]
struct TouchedHost {
    /// Its previous ports.
    ports: Vec<u32>,
    /// Whether more than its endpoints changed. These may change all the time, and any namespace's rules may name the host.
    is_said: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Catalog {
    /// For `exportTo`: what is not exported to the gateway's namespace does not exist.
    tenants: Tenants,
    /// The gateway's labels, for `failoverPriority` and the `workloadSelector` of DestinationRules.
    labels: BTreeMap<String, String>,
    addresses: AddressPolicy,
    /// Where the gateway is.
    locality: Locality,
    hosts: BTreeMap<Arc<str>, Known>,
    /// The hosts that ServiceEntries of a namespace define.
    held: Index<Arc<str>, Arc<str>>,
    /// The DestinationRules that may apply to this gateway.
    book: RuleBook,
    /// Wildcards of DestinationRules that were added, removed or changed, each with the rule's namespace.
    moved_rules: BTreeSet<(Arc<str>, Arc<str>)>,
    workloads: Workloads,
    pods: Pods,
    /// Hosts whose objects changed.
    touched: BTreeMap<Arc<str>, TouchedHost>,
}

impl Catalog {
    pub(super) fn new(gateway: &Gateway) -> Self {
        Self {
            tenants: gateway.tenants.clone(),
            labels: gateway.labels.clone(),
            addresses: gateway.addresses.clone(),
            locality: gateway.locality.clone(),
            hosts: BTreeMap::new(),
            held: Index::default(),
            book: RuleBook::default(),
            moved_rules: BTreeSet::new(),
            workloads: Workloads::default(),
            pods: Pods::default(),
            touched: BTreeMap::new(),
        }
    }

    /// Restores the holder of a host that is not a Service's; it keeps the host if its ServiceEntry still exists.
    pub(super) fn remember(&mut self, host: &Arc<str>, holder: &Claimant) {
        let name = holder.name.clone().unwrap_or_default();
        let known = self.hosts.entry(Arc::clone(host)).or_default();
        known.holder = Some(ObjectRef::new(
            Kind::ServiceEntry,
            Arc::clone(&holder.namespace),
            name,
        ));
        self.touched.entry(Arc::clone(host)).or_default().is_said = true;
    }

    /// Takes a change of an object. [`Self::settle`] finds the consequences.
    pub(super) fn apply(&mut self, moved: &Moved) {
        if moved.name.kind == Kind::Pod {
            return self.pods.apply(moved);
        }
        if moved.name.kind == Kind::WorkloadEntry {
            return self.apply_workload(moved);
        }
        let is_said = !matches!(moved.name.kind, Kind::EndpointSlice | Kind::Endpoints);
        for (object, there) in [(&moved.before, false), (&moved.now, true)] {
            let Some(object) = object else { continue };
            for host in self.hosts_of(object) {
                if moved.name.kind == Kind::DestinationRule && host.starts_with('*') {
                    self.moved_rules
                        .insert((Arc::clone(&host), Arc::clone(&moved.name.namespace)));
                }
                self.touch(host, is_said);
            }
            self.change(object, &moved.name, there);
        }
    }

    fn apply_workload(&mut self, moved: &Moved) {
        let now = match moved.now.as_deref() {
            Some(Object::WorkloadEntry(meta, spec)) => Some((&**meta, spec)),
            _ => None,
        };
        for host in self.workloads.set_workload(&moved.name, now) {
            self.touch(host, false);
        }
    }

    /// Marks a host to be checked again, and its findings if more than its endpoints changed.
    fn touch(&mut self, host: Arc<str>, is_said: bool) {
        let known = self.hosts.get(&host);
        let before = || TouchedHost {
            ports: known.map(Known::ports).unwrap_or_default(),
            is_said: false,
        };
        self.touched.entry(host).or_insert_with(before).is_said |= is_said;
    }

    /// Returns the consequences for each host whose objects changed.
    pub(super) fn settle(&mut self) -> BTreeMap<Arc<str>, HostChange> {
        let touched = std::mem::take(&mut self.touched).into_iter();
        touched
            .map(|(host, touched)| {
                let change = self.settle_host(&host, &touched);
                (host, change)
            })
            .collect()
    }

    fn settle_host(&mut self, host: &Arc<str>, touched: &TouchedHost) -> HostChange {
        let known = self.hosts.entry(Arc::clone(host)).or_default();
        let before = known.holder.clone();
        known.settle_holder();
        let holder = known.holder.as_ref();
        let selected = holder.map_or(0, |holder| self.workloads.count(holder));
        known.size = known.count(selected);
        if let Some(before) = before
            .as_ref()
            .filter(|before| !known.is_held_by(&before.namespace))
        {
            self.held.remove(&before.namespace, host);
        }
        if let Some(now) = &known.holder {
            self.held.insert(Arc::clone(&now.namespace), Arc::clone(host));
        }
        let mut change = HostChange {
            ports: known.ports() != touched.ports,
            holder: (known.holder != before).then(|| known.holder.as_ref().map(claimant)),
            said: None,
        };
        if *known == Known::default() {
            self.hosts.remove(host);
        }
        change.said = touched.is_said.then(|| self.said(host));
        change
    }

    /// The pods that changed since the last call.
    pub(super) fn take_moved_pods(&mut self) -> MovedPods {
        self.pods.take_moved()
    }

    #[cfg(test)]
    pub(super) fn forget_workloads(&mut self) {
        self.workloads = Workloads::default();
    }

    #[cfg(test)]
    pub(super) fn forget_held(&mut self) {
        self.held = Index::default();
    }

    /// The WorkloadEntries that the ServiceEntry of a host selects.
    pub(super) fn selected<'c>(&'c self, known: &'c Known) -> impl Iterator<Item = &'c WorkloadEntry> {
        let holder = known.holder.iter();
        holder.flat_map(|holder| self.workloads.selected_by(holder))
    }

    /// The known pods.
    pub(super) fn pods(&self) -> &Pods {
        &self.pods
    }

    /// Who defines the hosts that are not Services.
    pub(super) fn claims(&self) -> impl Iterator<Item = (Claim, Tenure)> {
        let held = self
            .hosts
            .iter()
            .filter_map(|(host, known)| Some((host, known.holder.as_ref()?)));
        held.map(|(host, holder)| (Claim::Service(Arc::clone(host)), Tenure::Of(claimant(holder))))
    }

    /// Where Secrets are looked up.
    pub(super) fn secrets(&self) -> &str {
        &self.tenants.gateway
    }

    /// Where the gateway is.
    pub(super) fn position(&self) -> Whereabouts<'_> {
        Whereabouts {
            locality: self.locality.borrow(),
            node: None,
            labels: Some(&self.labels),
        }
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
        let hosts = self.hosts_of(object);
        if let Object::ServiceEntry(_, spec) = object {
            let now = Some(&**spec).filter(|_| there && !hosts.is_empty());
            self.workloads.set_entry(name, &hosts, now);
        }
        for host in hosts {
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
                    known.strangers.remove(name);
                    if there {
                        known.strangers.insert(name.clone());
                    }
                }
                Object::ServiceEntry(_, spec) => put(&mut known.entries, &rank, there.then_some(spec)),
                Object::DestinationRule(meta, spec) => {
                    let rule = there.then(|| Arc::new(KnownRule::new(name, spec)));
                    put(&mut known.rules, name, rule.as_ref());
                    self.book_rule(&host, (meta, name), spec, there);
                }
                Object::EndpointSlice(_, slice) => put(&mut known.slices, name, there.then_some(slice)),
                Object::Service(meta, service) => {
                    known.service = there.then(|| (Arc::clone(meta), Arc::clone(service)));
                }
                Object::Endpoints(_, endpoints) => known.endpoints = there.then(|| Arc::clone(endpoints)),
                Object::Secret(_)
                | Object::Gateway(..)
                | Object::VirtualService(..)
                | Object::WorkloadEntry(..)
                | Object::Pod(_) => {}
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

    /// The service's only port; if it has several, the listener's.
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
                format!("{host} has several ports and the destination names none: using {listener}");
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

/// A finding about a VirtualService's destination.
pub(super) fn doubt(place: &ObjectRef, spot: Spot, code: Code, message: String) -> Finding {
    Finding {
        severity: Severity::Warning,
        code,
        object: place.clone(),
        field: spot.field(),
        message,
    }
}

fn put<K: Ord + Clone, T>(all: &mut Vec<(K, Arc<T>)>, name: &K, value: Option<&Arc<T>>) {
    let found = all.binary_search_by(|(own, _)| own.cmp(name));
    match (found, value) {
        (Ok(at), None) => drop(all.remove(at)),
        (Err(at), Some(value)) => {
            few::insert(all, at, (name.clone(), Arc::clone(value)));
        }
        (Ok(at), Some(value)) => {
            if let Some(own) = all.get_mut(at) {
                own.1 = Arc::clone(value);
            }
        }
        (Err(_), None) => {}
    }
}

fn of_service(meta: &Meta, name: &str) -> Arc<str> {
    format!("{name}.{}{SERVICE_SUFFIX}", meta.namespace).into()
}

/// A name without a dot is a Service in the object's own namespace, as in Istio.
pub(super) fn full_name(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains('.') || host == "*" {
        host
    } else {
        format!("{host}.{namespace}{SERVICE_SUFFIX}")
    }
}
