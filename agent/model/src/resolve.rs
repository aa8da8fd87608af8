//! The gateway as it will be served: Gateways, VirtualServices and services resolved into ports, routes and upstreams,
//! and kept so. A change costs what it touches: indexes by host, Gateway, service and credential say what that is.

mod bindings;
mod block;
mod catalog;
mod chain;
mod delegate;
pub mod gateway;
mod hosts;
mod index;
mod lowered;
mod patterns;
mod port;
pub mod rank;
mod reach;
mod rules;
pub mod service;
mod sharing;
mod table;
mod tls;
mod upstream;
mod uses;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use sealgate_core::config::GatewaySpec;
use sealgate_core::rules::TableConfig;

pub use self::block::HostRoutes;
pub use self::chain::ConnectionPolicy;
pub use self::table::{HostKey, TablePart};

use self::bindings::{GatewayKey, Gateways};
use self::catalog::Catalog;
use self::gateway::{DeclaredGateway, DeclaredServer};
use self::index::Index;
use self::port::{Look, Servers, Settled};
use self::rank::{Rank, ServerId};
use self::reach::ServiceName;
use self::rules::Lookup;
use self::service::{Service, Services};
use self::sharing::MovedName;
use self::table::Table;
use self::uses::Uses;
use self::view::NativeCount;
use crate::CredentialName;
use crate::few::Few;
use crate::ledger::Ledger;
use crate::resolved::{ServedPort, Upstream};
use crate::store::Moved;
use crate::{Kind, Object, ObjectRef};

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Speaker {
    /// An object by itself.
    Object(ObjectRef),
    /// A credential's Secret.
    Secret(CredentialName),
    /// A server among the others of its port.
    Server(u16, ServerId),
    /// A host's rules together.
    Host(HostKey),
    /// A destination.
    Cluster(Arc<str>),
    /// What a VirtualService is bound to.
    Bindings(ObjectRef),
    /// Whether its rules are reached.
    Reach(ServiceName),
}

/// Which gateway is served.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its namespace, where `credentialName` is looked up.
    pub namespace: String,
    /// Its labels, against a Gateway's `selector`.
    pub labels: BTreeMap<String, String>,
    /// The ports that Envoy binds in place of a Gateway's.
    pub port_map: BTreeMap<u16, u16>,
    /// From how many servers of one TLS policy on certificates are given on demand; 0 is never.
    pub on_demand_from: usize,
}

/// A name that a proxy asks for: the filter chain that asks (`PORT/CHAIN`), and the pattern of the server that has it.
pub type NameKey = (Arc<str>, Arc<str>);

/// A filter chain among those of all ports.
#[must_use]
pub fn chain_id(port: u16, chain: &str) -> String {
    format!("{port}/{chain}")
}

/// What a step brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Clusters that came, changed or went.
    pub clusters: BTreeSet<Arc<str>>,
    /// Parts of the table that changed.
    pub parts: BTreeSet<u16>,
    /// Ports that came, changed or went.
    pub ports: BTreeSet<u16>,
    /// Names that are given on demand, and that came, went or have another certificate.
    pub names: BTreeSet<NameKey>,
}

/// What is known from outside of objects that are not part of the resolution.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Whether there is a good version of a credential.
    pub is_served: &'a dyn Fn(&CredentialName) -> bool,
    /// Whether there is such an object, be it that it is refused.
    pub is_known: &'a dyn Fn(&ObjectRef) -> bool,
}

/// One port.
#[derive(Debug, Default)]
struct PortState {
    servers: Servers,
    native: NativeCount,
    view: Option<Arc<ServedPort>>,
}

/// What is to be looked at before a step is over.
#[derive(Debug, Default)]
struct Dirty {
    ports: BTreeSet<u16>,
    hosts: BTreeSet<HostKey>,
    clusters: BTreeSet<Arc<str>>,
    bindings: BTreeSet<Rank>,
    reach: BTreeSet<ServiceName>,
}

/// See the module.
#[derive(Debug)]
pub struct Resolver {
    gateway: Gateway,
    gateways: BTreeMap<GatewayKey, Arc<DeclaredGateway>>,
    /// The same in the order in which they count.
    elders: OrdMap<Rank, Arc<DeclaredGateway>>,
    services: Services,
    catalog: Catalog,
    ports: BTreeMap<u16, PortState>,
    table: Table,
    uses: Uses,
    /// Hosts whose rules take a service's only port.
    assuming: Index<Arc<str>, HostKey>,
    /// Hosts that say something of a VirtualService's rules.
    reached: Index<ServiceName, HostKey>,
    /// Servers that name a credential, or are served with one in its place.
    naming: Index<CredentialName, (u16, ServerId)>,
    /// The credentials of each server.
    wants: BTreeMap<(u16, ServerId), Few<CredentialName>>,
    wanted: OrdSet<CredentialName>,
    names: OrdMap<NameKey, CredentialName>,
    dirty: Dirty,
}

impl Resolver {
    /// Nothing yet.
    #[must_use]
    pub fn new(gateway: Gateway) -> Self {
        Self {
            catalog: Catalog::new(&gateway.namespace),
            gateway,
            gateways: BTreeMap::new(),
            elders: OrdMap::new(),
            services: Services::default(),
            ports: BTreeMap::new(),
            table: Table::default(),
            uses: Uses::default(),
            assuming: Index::default(),
            reached: Index::default(),
            naming: Index::default(),
            wants: BTreeMap::new(),
            wanted: OrdSet::new(),
            names: OrdMap::new(),
            dirty: Dirty::default(),
        }
    }

    /// Takes a change of an object; what follows from it is found by [`Self::settle`].
    pub fn take(&mut self, moved: &Moved) {
        match moved.name.kind {
            Kind::Gateway => {
                let declared = |object: &Option<Arc<Object>>| match object.as_deref() {
                    Some(Object::Gateway(meta, spec)) if self.is_selected(spec) => Some(Arc::new(
                        DeclaredGateway::new(meta, spec, &self.gateway.namespace),
                    )),
                    _ => None,
                };
                let now = declared(&moved.now);
                self.replace_gateway(&key(&moved.name), now);
            }
            Kind::VirtualService => {
                let read = |object: &Option<Arc<Object>>| match object.as_deref() {
                    Some(Object::VirtualService(meta, spec)) => Some(Arc::new(Service::new(meta, spec))),
                    _ => None,
                };
                self.replace_service(read(&moved.before), read(&moved.now));
            }
            _ => self.change_catalog(moved),
        }
    }

    fn is_selected(&self, spec: &GatewaySpec) -> bool {
        let mut selector = spec.selector.iter();
        selector.all(|(key, value)| self.gateway.labels.get(key) == Some(value))
    }

    fn change_catalog(&mut self, moved: &Moved) {
        for (host, change) in self.catalog.apply(moved) {
            self.dirty.clusters.extend(self.uses.of_host(&host).cloned());
            if change.ports {
                self.dirty.hosts.extend(self.assuming.of(&host).cloned());
            }
        }
    }

    /// Something else is said of a Gateway now: whether there is one of this name may be another answer.
    pub fn touch_gateway(&mut self, name: &ObjectRef) {
        let (name, namespace) = key(name);
        if !self.gateways.contains_key(&(Arc::clone(&name), namespace)) {
            let naming = self
                .services
                .of_gateway(&name)
                .map(|service| service.rank.clone());
            self.dirty.bindings.extend(naming);
        }
    }

    /// A credential came or went.
    pub fn touch_credential(&mut self, name: &CredentialName) {
        for (port, id) in self.naming.of(name) {
            if let Some(state) = self.ports.get_mut(port) {
                state.servers.touch_id(id);
                self.dirty.ports.insert(*port);
            }
        }
    }

    fn replace_gateway(&mut self, key: &GatewayKey, now: Option<Arc<DeclaredGateway>>) {
        let before = self.gateways.remove(key);
        let servers =
            |gateway: &Option<Arc<DeclaredGateway>>| gateway.as_ref().map(|own| own.servers.clone());
        let (old, new) = (
            servers(&before).unwrap_or_default(),
            servers(&now).unwrap_or_default(),
        );
        for (at, server) in &old {
            if new.get(at) != Some(server) {
                self.change_server(server, Servers::remove);
            }
        }
        for (at, server) in &new {
            if old.get(at) != Some(server) {
                self.change_server(server, Servers::insert);
            }
        }
        let prefix = |gateway: &Option<Arc<DeclaredGateway>>| gateway.as_ref()?.prefix.clone();
        if prefix(&before) != prefix(&now) {
            self.dirty.ports.extend(self.ports.keys());
        }
        self.doubt_bindings(key, before.as_deref(), now.as_deref());
        before.inspect(|before| drop(self.elders.remove(&before.rank)));
        if let Some(now) = now {
            self.elders.insert(now.rank.clone(), Arc::clone(&now));
            self.gateways.insert(key.clone(), now);
        }
    }

    fn change_server(
        &mut self,
        server: &Arc<DeclaredServer>,
        change: impl Fn(&mut Servers, &Arc<DeclaredServer>),
    ) {
        let state = self.ports.entry(server.port).or_default();
        change(&mut state.servers, server);
        self.dirty.ports.insert(server.port);
        let hosts = hosts::of_server(server, &self.services);
        self.dirty
            .hosts
            .extend(hosts.into_iter().map(|host| (server.port, host)));
    }

    /// Which VirtualServices have another word said of what they ask of a Gateway: all that name it if it came, went or
    /// has other ports, else those with a host in what it takes now and did not, or the other way round.
    fn doubt_bindings(
        &mut self,
        (name, _): &GatewayKey,
        before: Option<&DeclaredGateway>,
        now: Option<&DeclaredGateway>,
    ) {
        let is_new = match (before, now) {
            (Some(before), Some(now)) => before.ports() != now.ports() || before.rank != now.rank,
            _ => true,
        };
        if is_new {
            let naming = self.services.of_gateway(name).map(|service| service.rank.clone());
            self.dirty.bindings.extend(naming);
            return;
        }
        let [before, now] = [before, now].map(|own| own.map(DeclaredGateway::all_hosts).unwrap_or_default());
        for host in before.symmetric_difference(&now) {
            let within = self.services.within(&host.pattern).map(|(_, service)| service);
            let touched = self.services.of_host(&host.pattern).chain(within);
            let touched = touched.chain(self.services.containing(&host.pattern));
            self.dirty
                .bindings
                .extend(touched.map(|service| service.rank.clone()));
        }
    }

    fn replace_service(&mut self, before: Option<Arc<Service>>, now: Option<Arc<Service>>) {
        for service in before.iter().chain(&now) {
            self.touch_hosts(service);
            self.dirty.bindings.insert(service.rank.clone());
        }
        let roots: Vec<_> = before
            .iter()
            .chain(&now)
            .flat_map(|service| self.services.roots(service))
            .collect();
        roots.iter().for_each(|root| self.touch_hosts(root));
        if let Some(before) = before {
            self.services.remove(&before);
        }
        if let Some(now) = now {
            self.services.insert(&now);
        }
    }

    /// The hosts that a VirtualService has a say in, on the ports of the Gateways that it names.
    fn touch_hosts(&mut self, service: &Service) {
        let gateways = service
            .gateways()
            .filter_map(|(namespace, name)| self.gateways.get(&(name, namespace)));
        let ports: BTreeSet<u16> = gateways
            .flat_map(|gateway| gateway.servers.values())
            .map(|server| server.port)
            .collect();
        for port in ports {
            let Some(state) = self.ports.get(&port) else {
                continue;
            };
            let hosts = hosts::of_service(service, &state.servers);
            self.dirty
                .hosts
                .extend(hosts.into_iter().map(|host| (port, host)));
        }
    }

    /// Looks at everything that the changes since the last time touched.
    pub fn settle(&mut self, world: World<'_>, ledger: &mut Ledger<Speaker>) -> Changes {
        let ports = std::mem::take(&mut self.dirty.ports);
        let mut looks = BTreeMap::new();
        let mut changes = Changes::default();
        for port in &ports {
            let settled = self.settle_servers(*port, world, ledger);
            let names = settled.names.iter().map(|name| self.settle_name(*port, name));
            changes.names.extend(names);
            looks.insert(*port, settled.looked_at);
        }
        let mut native = BTreeSet::new();
        for host in std::mem::take(&mut self.dirty.hosts) {
            if self.settle_host(&host, ledger) {
                native.insert(host.0);
            }
        }
        for cluster in std::mem::take(&mut self.dirty.clusters) {
            let (moved, findings) = self.uses.settle(&cluster, &self.catalog);
            ledger.set(Speaker::Cluster(Arc::clone(&cluster)), findings);
            if moved {
                changes.clusters.insert(cluster);
            }
        }
        self.settle_doubts(world, ledger);
        for port in ports.union(&native) {
            if self.settle_port(*port, looks.remove(port).unwrap_or_default()) {
                changes.ports.insert(*port);
            }
        }
        changes.parts = self.table.take_dirty();
        changes
    }

    fn settle_servers(&mut self, port: u16, world: World<'_>, ledger: &mut Ledger<Speaker>) -> Settled {
        let Some(state) = self.ports.get_mut(&port) else {
            return Settled::default();
        };
        let from = self.gateway.on_demand_from;
        let settled = state.servers.settle(from, world.is_served);
        for server in &settled.moved {
            let hosts = hosts::of_server(server, &self.services);
            self.dirty
                .hosts
                .extend(hosts.into_iter().map(|host| (port, host)));
        }
        for look in &settled.looked_at {
            ledger.set(Speaker::Server(port, look.id.clone()), look.said.clone());
            self.want((port, look.id.clone()), &look.wants);
        }
        settled
    }

    /// Notes the certificate of a name that is given on demand.
    fn settle_name(&mut self, port: u16, (chain, pattern): &MovedName) -> NameKey {
        let state = self.ports.get(&port);
        let certificate = state.and_then(|state| state.servers.sharing().certificate(chain, pattern));
        let key = (chain_id(port, chain).into(), Arc::clone(pattern));
        match certificate {
            Some(name) => drop(self.names.insert(key.clone(), name.clone())),
            None => drop(self.names.remove(&key)),
        }
        key
    }

    /// The credentials that a server wants from now on.
    fn want(&mut self, server: (u16, ServerId), wants: &Few<CredentialName>) {
        let before = self.wants.remove(&server).unwrap_or_default();
        for name in before.iter().filter(|name| !wants.contains(name)) {
            self.naming.remove(name, &server);
            if !self.naming.has(name) {
                self.wanted.remove(name);
            }
        }
        for name in wants.iter().filter(|name| !before.contains(*name)) {
            self.naming.insert(name.clone(), server.clone());
            self.wanted.insert(name.clone());
        }
        if !wants.is_empty() {
            self.wants.insert(server, wants.clone());
        }
    }

    /// Makes the routes of a host anew; says whether its port needs other native routes.
    fn settle_host(&mut self, host: &HostKey, ledger: &mut Ledger<Speaker>) -> bool {
        let block = self.block(host).map(Arc::new);
        let findings = block.as_ref().map(|block| block.findings.clone());
        ledger.set(Speaker::Host(host.clone()), findings.unwrap_or_default());
        let mut moved = false;
        if let Some(block) = &block {
            moved |= self.link(host, block);
        }
        if let Some(before) = self.table.set_routes(host, block.clone()) {
            moved |= self.unlink(host, &before, block.as_deref());
        }
        moved
    }

    fn block(&self, (port, domain): &HostKey) -> Option<HostRoutes> {
        let state = self.ports.get(port)?;
        let rules = hosts::declared(domain, &state.servers, &self.services)?;
        Some(HostRoutes::new(domain, &rules, *port, self.lookup()))
    }

    fn lookup(&self) -> Lookup<'_> {
        Lookup {
            services: &self.services,
            catalog: &self.catalog,
        }
    }

    fn link(&mut self, host: &HostKey, block: &HostRoutes) -> bool {
        for of in &block.uses {
            self.uses.add(of);
            self.dirty.clusters.insert(Arc::clone(&of.cluster));
        }
        for assumed in &block.assumed {
            self.assuming.insert(Arc::clone(assumed), host.clone());
        }
        for service in block.reach.services() {
            self.reached.insert(Arc::clone(&service), host.clone());
            self.dirty.reach.insert(service);
        }
        let state = self.ports.get_mut(&host.0);
        state.is_some_and(|state| state.native.add(&block.native))
    }

    fn unlink(&mut self, host: &HostKey, before: &HostRoutes, now: Option<&HostRoutes>) -> bool {
        for of in &before.uses {
            self.uses.remove(of);
            self.dirty.clusters.insert(Arc::clone(&of.cluster));
        }
        let stays = |assumed: &Arc<str>| now.is_some_and(|now| now.assumed.contains(assumed));
        for assumed in before.assumed.iter().filter(|assumed| !stays(assumed)) {
            self.assuming.remove(assumed, host);
        }
        let stays = now.map(|now| now.reach.services()).unwrap_or_default();
        for service in before.reach.services() {
            if !stays.contains(&service) {
                self.reached.remove(&service, host);
            }
            self.dirty.reach.insert(service);
        }
        let state = self.ports.get_mut(&host.0);
        state.is_some_and(|state| state.native.remove(&before.native))
    }

    fn settle_doubts(&mut self, world: World<'_>, ledger: &mut Ledger<Speaker>) {
        let gateways = Gateways {
            served: &self.gateways,
            is_known: world.is_known,
        };
        for rank in std::mem::take(&mut self.dirty.bindings) {
            let service = self.services.named(&rank.namespace, &rank.name);
            let findings = service.map(|service| bindings::findings(service, &gateways));
            ledger.set(
                Speaker::Bindings(rank.virtual_service()),
                findings.unwrap_or_default(),
            );
        }
        for service in std::mem::take(&mut self.dirty.reach) {
            let reaches = self
                .reached
                .of(&service)
                .filter_map(|host| Some((&*host.1, &self.table.routes(host)?.reach)));
            ledger.set(
                Speaker::Reach(Arc::clone(&service)),
                reach::findings(&service, reaches),
            );
        }
    }

    /// Makes the view of a port anew; says whether it is another one.
    fn settle_port(&mut self, number: u16, looks: Vec<Look>) -> bool {
        let bind = self.gateway.port_map.get(&number).copied().unwrap_or(number);
        let prefixes = self
            .gateways
            .values()
            .filter_map(|gateway| gateway.prefix.clone())
            .collect();
        let Some(state) = self.ports.get_mut(&number) else {
            return false;
        };
        let view = view::port((number, bind), &state.servers, &state.native, prefixes).map(Arc::new);
        let demands = |port: Option<&Arc<ServedPort>>| port.is_some_and(|port| port.demands);
        let demands = (demands(state.view.as_ref()), demands(view.as_ref()));
        self.table
            .demand(number, demands, state.servers.sharing(), &looks);
        let moved = state.view != view;
        if moved {
            state.view = view;
        }
        if state.servers.is_empty() {
            self.ports.remove(&number);
        }
        moved
    }
}

/// What is there to be read.
impl Resolver {
    /// The Gateways that are served, in order.
    #[must_use]
    pub fn gateways(&self) -> &OrdMap<Rank, Arc<DeclaredGateway>> {
        &self.elders
    }

    /// The ports that are served.
    pub fn ports(&self) -> impl Iterator<Item = &Arc<ServedPort>> {
        self.ports.values().filter_map(|state| state.view.as_ref())
    }

    /// One of them.
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&Arc<ServedPort>> {
        self.ports.get(&number)?.view.as_ref()
    }

    /// A part of the table; none if it is empty.
    #[must_use]
    pub fn part(&self, at: u16) -> Option<&TablePart> {
        self.table.part(at)
    }

    /// The names that are given on demand, each with its certificate.
    #[must_use]
    pub fn names(&self) -> &OrdMap<NameKey, CredentialName> {
        &self.names
    }

    /// The destination of this name, if it is in use.
    #[must_use]
    pub fn upstream(&self, cluster: &str) -> Option<&Arc<Upstream>> {
        self.uses.upstream(cluster)
    }

    /// All destinations that are in use, by name.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.uses.upstreams()
    }

    /// The credentials that Gateways name, and those that are served in their place.
    #[must_use]
    pub fn wanted(&self) -> &OrdSet<CredentialName> {
        &self.wanted
    }

    /// The routes of a port as data, made anew: for people who ask.
    #[must_use]
    pub fn table(&self, number: u16) -> TableConfig {
        let hosts = self.table.hosts(number);
        let state = self.ports.get(&number);
        let virtual_hosts = hosts.filter_map(|domain| {
            let rules = hosts::declared(&domain, &state?.servers, &self.services)?;
            Some(block::config(&domain, &rules, number, self.lookup()).0)
        });
        TableConfig {
            port: number,
            virtual_hosts: virtual_hosts.collect(),
            ..TableConfig::default()
        }
    }
}

fn key(name: &ObjectRef) -> GatewayKey {
    (name.name.as_str().into(), name.namespace.as_str().into())
}

#[cfg(test)]
mod tests;
