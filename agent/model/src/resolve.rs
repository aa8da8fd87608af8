//! The gateway as it will be served: Gateways, VirtualServices and services resolved into ports, routes and upstreams,
//! and kept so. A change costs what it touches: indexes by host, Gateway, service and credential say what that is.

mod addresses;
mod bindings;
mod block;
mod catalog;
mod chain;
mod claims;
mod cluster_budget;
mod delegate;
mod doubted;
pub mod gateway;
mod gateways;
mod handshake;
mod hash_budget;
mod hosts;
mod http3;
mod index;
mod listed;
mod lowered;
mod match_scope;
mod member;
mod meter;
mod own_gateway;
mod owners;
mod placement;
mod pods;
mod port;
mod ports;
pub mod rank;
mod reach;
mod routes;
mod rule_book;
mod rule_budget;
mod rules;
mod server_finding;
pub mod service;
mod sharing;
mod speaker;
mod standing;
mod step;
mod stream_route;
mod streams;
mod table;
mod tls;
mod upstream;
mod upstream_tls;
mod uses;
mod view;
mod wants;
mod workloads;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use sealgate_core::rules::TableConfig;

pub use self::addresses::AddressPolicy;
pub use self::block::HostRoutes;
pub use self::chain::ConnectionPolicy;
pub use self::claims::{Claim, Claimant, Claims, Tenure};
pub use self::listed::ListedRules;
pub use self::own_gateway::Gateway;
pub use self::ports::{NameKey, StreamKey, chain_id};
pub use self::speaker::Speaker;
pub use self::step::Changes;
pub use self::table::{HostKey, TablePart};
pub use self::world::{ServedCertificate, World};

use self::bindings::KnownGateways;
use self::catalog::Catalog;
use self::doubted::Doubted;
use self::gateway::{DeclaredGateway, DeclaredServer};
use self::gateways::{GatewayKey, Gateways, key};
use self::hosts::HostRules;
use self::lowered::Lowered;
use self::owners::HostOwners;
use self::pods::PodsMoved;
use self::port::Terms;
use self::ports::Ports;
use self::rank::Rank;
use self::routes::Routes;
use self::rule_budget::RuleBudget;
use self::rules::Lookup;
use self::service::{Service, Services};
use self::upstream::UpstreamTerms;
use self::wants::{Wanter, Wants};
use crate::CredentialName;
use crate::budget::Usage;
use crate::ledger::Ledger;
use crate::resolved::{ServedPort, Share, Upstream};
use crate::store::Moved;
use crate::{Kind, Object, ObjectRef};

/// The maximum length of a DNS name, and therefore of a pattern.
const LONGEST_NAME: usize = 255;
/// The maximum number of passes in a step. The next step does the rest.
const ROUNDS: usize = 4;

/// See the module.
#[derive(Debug)]
pub struct Resolver {
    gateway: Gateway,
    gateways: Gateways,
    services: Services,
    catalog: Catalog,
    ports: Ports,
    routes: Routes,
    wants: Wants,
    doubted: Doubted,
    owners: HostOwners,
    budget: RuleBudget,
    /// Hosts whose routes must be rebuilt.
    hosts: BTreeSet<HostKey>,
    /// Gateways for which to report whether this gateway serves them.
    unselected: BTreeMap<ObjectRef, Option<Arc<Object>>>,
}

/// What changes.
impl Resolver {
    /// Nothing yet.
    #[must_use]
    pub fn new(gateway: Gateway) -> Self {
        Self {
            catalog: Catalog::new(&gateway),
            owners: HostOwners::new(gateway.tenants.tenancy),
            budget: RuleBudget::new(gateway.budgets()),
            routes: Routes::new(gateway.budgets()),
            gateway,
            gateways: Gateways::default(),
            services: Services::default(),
            ports: Ports::default(),
            wants: Wants::default(),
            doubted: Doubted::default(),
            hosts: BTreeSet::new(),
            unselected: BTreeMap::new(),
        }
    }

    /// Restores the claims of a previous agent, as far as something still asks for what is claimed. Must be called
    /// before any object is taken.
    pub fn remember(&mut self, claims: &Claims) {
        self.ports.remember(claims);
        for (claim, tenure) in claims {
            match (claim, tenure) {
                (Claim::Routes(port, domain), Tenure::Of(holder)) => {
                    let host = (*port, Arc::clone(domain));
                    self.hosts.insert(host.clone());
                    self.owners.remember(host, &holder.namespace);
                }
                (Claim::Service(host), Tenure::Of(holder)) => self.catalog.remember(host, holder),
                _ => {}
            }
        }
    }

    /// Takes a change of an object. [`Self::settle`] finds the consequences.
    pub fn take(&mut self, moved: &Moved) {
        match moved.name.kind {
            Kind::Gateway => {
                self.unselected.insert(moved.name.clone(), moved.now.clone());
                let declared = |object: &Option<Arc<Object>>| match object.as_deref() {
                    Some(Object::Gateway(meta, spec)) if self.gateway.is_selected(spec) => Some(Arc::new(
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
            _ => self.catalog.apply(moved),
        }
    }

    /// The findings about a Gateway changed: whether one with this name exists may have changed, too.
    pub fn touch_gateway(&mut self, name: &ObjectRef) {
        let key = key(name);
        if self.gateways.get(&key).is_none() {
            self.doubted.naming(&key.0, &self.services);
        }
    }

    /// A credential came or went.
    pub fn touch_credential(&mut self, name: &CredentialName) {
        for wanter in self.wants.naming(name) {
            match wanter {
                Wanter::Server(port, id) => self.ports.touch(*port, id),
                Wanter::Cluster(cluster) => self.routes.uses_mut().touch_cluster(cluster),
            }
        }
    }

    fn replace_gateway(&mut self, key: &GatewayKey, now: Option<Arc<DeclaredGateway>>) {
        let before = self.gateways.replace(key, now.as_ref());
        let servers =
            |gateway: &Option<Arc<DeclaredGateway>>| gateway.as_ref().map(|own| own.servers.clone());
        let (old, new) = (
            servers(&before).unwrap_or_default(),
            servers(&now).unwrap_or_default(),
        );
        for (at, server) in &old {
            if new.get(at) != Some(server) {
                self.ports.remove(server);
                self.touch_hosts_of_server(server);
            }
        }
        for (at, server) in &new {
            if old.get(at) != Some(server) {
                self.ports.insert(server);
                self.touch_hosts_of_server(server);
            }
        }
        let prefix = |gateway: &Option<Arc<DeclaredGateway>>| gateway.as_ref()?.prefix.clone();
        if prefix(&before) != prefix(&now) {
            self.ports.touch_all();
        }
        self.doubted
            .gateway(&key.0, (before.as_deref(), now.as_deref()), &self.services);
    }

    /// The hosts of VirtualServices that a server may take.
    fn touch_hosts_of_server(&mut self, server: &DeclaredServer) {
        let hosts = hosts::of_server(server, &self.services);
        self.hosts
            .extend(hosts.into_iter().map(|host| (server.port, host)));
    }

    fn replace_service(&mut self, before: Option<Arc<Service>>, now: Option<Arc<Service>>) {
        for service in before.iter().chain(&now) {
            self.touch_hosts_of_service(service);
            self.doubted.service(service);
        }
        let roots: Vec<_> = before
            .iter()
            .chain(&now)
            .flat_map(|service| self.services.roots(service))
            .collect();
        roots.iter().for_each(|root| self.touch_hosts_of_service(root));
        if let Some(before) = before {
            self.services.remove(&before);
        }
        if let Some(now) = now {
            self.services.insert(&now);
        }
    }

    /// The hosts that a VirtualService has a say in, on the ports of the Gateways that it names.
    fn touch_hosts_of_service(&mut self, service: &Service) {
        let gateways = service
            .gateways()
            .filter_map(|(namespace, name)| self.gateways.get(&(name, namespace)));
        let ports: BTreeSet<u16> = gateways
            .flat_map(|gateway| gateway.servers.values())
            .map(|server| server.port)
            .collect();
        for port in ports {
            if let Some(servers) = self.ports.servers(port) {
                let hosts = hosts::of_service(service, servers);
                self.hosts.extend(hosts.into_iter().map(|host| (port, host)));
            }
        }
    }
}

/// The consequences of a change.
impl Resolver {
    /// Envoy no longer has these clusters. Returns whether there may now be room for others, which the next
    /// [`Self::settle`] finds.
    pub fn release<'c>(&mut self, clusters: impl IntoIterator<Item = &'c Arc<str>>) -> bool {
        let uses = self.routes.uses_mut();
        uses.release(clusters);
        uses.is_hopeful()
    }

    /// Updates everything that the changes since the last time affect.
    pub fn settle(&mut self, world: World<'_>, ledger: &mut Ledger<Speaker>) -> Changes {
        let (mut names, mut claims) = (BTreeSet::new(), BTreeMap::new());
        claims.extend(self.settle_catalog(ledger));
        // When a host no longer has rules, servers that wait for it may get it, and then others' rules must be checked
        // again.
        for _ in 0..ROUNDS {
            let (moved_names, moved_claims) = self.settle_servers(world, ledger);
            names.extend(moved_names);
            claims.extend(moved_claims);
            self.settle_hosts(ledger);
            for (claim, owner) in self.owners.take_moved() {
                if let Claim::Routes(port, domain) = &claim {
                    self.ports.touch_waiting(*port, domain);
                }
                claims.insert(claim, owner);
            }
            if !self.ports.are_touched() {
                break;
            }
        }
        let terms = UpstreamTerms {
            catalog: &self.catalog,
            world,
        };
        let (clusters, wants) = self.routes.uses_mut().settle(terms, ledger);
        for (cluster, wants) in wants {
            self.wants.set(Wanter::Cluster(cluster), &wants);
        }
        let gateways = KnownGateways {
            served: &self.gateways,
            is_known: world.is_known,
        };
        self.doubted.settle(&self.services, &gateways, ledger);
        for (name, object) in std::mem::take(&mut self.unselected) {
            let findings = self.gateway.unselected(object.as_deref()).into_iter().collect();
            ledger.set(Speaker::Selector(name), findings);
        }
        self.routes.settle_reach(ledger);
        let table = self.routes.table_mut();
        let ports = self.ports.settle_views(&self.gateway, &self.gateways, table);
        Changes {
            clusters,
            parts: table.take_dirty(),
            ports,
            streams: self.ports.take_moved_streams(),
            names,
            claims,
        }
    }

    /// Returns the on-demand names and the claims that changed.
    fn settle_servers(
        &mut self,
        world: World<'_>,
        ledger: &mut Ledger<Speaker>,
    ) -> (BTreeSet<NameKey>, BTreeMap<Claim, Option<Tenure>>) {
        let (mut names, mut claims) = (BTreeSet::new(), BTreeMap::new());
        for port in self.ports.take_touched() {
            let terms = Terms {
                tenants: &self.gateway.tenants,
                on_demand_from: self.gateway.on_demand_from,
                routed_by: &|pattern| self.owners.owner(&(port, pattern.into())),
                reserved: self.gateway.reserved(port),
                world,
            };
            let settled = self.ports.settle_servers(port, terms);
            let kind = settled.kind.into_iter();
            claims.extend(kind.map(|kind| (Claim::Port(port), kind.map(Tenure::of_port))));
            let hosts = settled.claims.into_iter();
            claims
                .extend(hosts.map(|(pattern, holder)| (Claim::Host(port, pattern), holder.map(Tenure::Of))));
            for server in &settled.moved {
                self.touch_hosts_of_server(server);
            }
            for look in &settled.looked_at {
                ledger.set(Speaker::Server(port, look.id.clone()), look.said.clone());
                self.wants.set(Wanter::Server(port, look.id.clone()), &look.wants);
            }
            names.extend(
                settled
                    .names
                    .iter()
                    .map(|name| self.ports.settle_name(port, name)),
            );
            self.ports.looked_at(port, settled.looked_at);
        }
        (names, claims)
    }

    /// Rebuilds the routes of hosts, and of those for whose rules there may now be room.
    fn settle_hosts(&mut self, ledger: &mut Ledger<Speaker>) {
        for host in std::mem::take(&mut self.hosts) {
            self.settle_host(&host, ledger);
        }
        for hosts in self.budget.take_hopeful().into_values() {
            // If a namespace has no room for one host, it has none for the next one either.
            for host in hosts {
                if !self.settle_host(&host, ledger) {
                    break;
                }
            }
        }
    }

    /// Updates the hosts of services whose objects changed; returns the claims that changed.
    fn settle_catalog(&mut self, ledger: &mut Ledger<Speaker>) -> Vec<(Claim, Option<Tenure>)> {
        let mut claims = Vec::new();
        for (namespace, pods) in self.catalog.take_moved_pods() {
            let catalog = &self.catalog;
            let is_touched = |host: &str| {
                catalog
                    .get(host)
                    .is_some_and(|known| pods == PodsMoved::All || known.has_pod(|pod| pods.has(pod)))
            };
            self.routes.uses_mut().touch_pods(&namespace, is_touched);
        }
        let settled = self.catalog.settle();
        for scope in self.catalog.take_moved_rules() {
            self.routes.uses_mut().touch_within(&scope);
        }
        for (host, change) in settled {
            self.routes.touch_service(&host);
            if change.ports {
                self.hosts.extend(self.routes.assuming(&host).cloned());
            }
            if let Some(holder) = change.holder {
                claims.push((Claim::Service(Arc::clone(&host)), holder.map(Tenure::Of)));
            }
            if let Some(said) = change.said {
                ledger.set(Speaker::Service(host), said);
            }
        }
        claims
    }

    /// Rebuilds the routes of a host; returns whether there is room for all of them.
    fn settle_host(&mut self, host: &HostKey, ledger: &mut Ledger<Speaker>) -> bool {
        let rules = self.owners.settle(host, self.declared(host));
        let (rules, excess) = self.budget.settle(host, rules, &self.services);
        let is_whole = excess.is_empty();
        let now = rules.map(|rules| HostRoutes::new(&host.1, &rules, host.0, self.lookup()));
        let now = now.map(Arc::new);
        let findings = now.as_ref().map(|now| now.findings.clone()).unwrap_or_default();
        ledger.set(Speaker::Host(host.clone()), [findings, excess].concat());
        let before = self.routes.replace(host, now.as_ref());
        let native = [&before, &now].map(|routes| routes.as_deref().map(|own| &own.native));
        self.ports.change_native(host.0, native);
        let stream = [&before, &now].map(|routes| routes.as_deref().and_then(|own| own.stream.as_ref()));
        self.ports.change_stream(host, stream);
        is_whole
    }

    fn declared(&self, host: &HostKey) -> Option<HostRules> {
        let servers = self.ports.servers(host.0)?;
        streams::declared((host.0, &host.1), servers, &self.services)
    }

    /// The rules of a host as they are carried out.
    fn carried_out(&self, host: &HostKey) -> Option<HostRules> {
        let rules = self.owners.of(host, self.declared(host)?);
        Some(self.budget.of(host, rules))
    }

    fn lookup(&self) -> Lookup<'_> {
        Lookup {
            services: &self.services,
            catalog: &self.catalog,
        }
    }
}

/// Getters.
impl Resolver {
    /// The Gateways that are served, in order.
    #[must_use]
    pub fn gateways(&self) -> &OrdMap<Rank, Arc<DeclaredGateway>> {
        self.gateways.elders()
    }

    /// The ports that are served.
    pub fn ports(&self) -> impl Iterator<Item = &Arc<ServedPort>> {
        self.ports.views()
    }

    /// Where a filter chain passes connections on to; if empty, they are closed.
    #[must_use]
    pub fn stream(&self, key: &StreamKey) -> &[Share] {
        let route = self.ports.stream(key);
        route.map(|route| &*route.shares).unwrap_or_default()
    }

    /// The VirtualService that routes its connections.
    #[must_use]
    pub fn stream_service(&self, key: &StreamKey) -> Option<&ObjectRef> {
        self.ports.stream(key)?.service.as_ref()
    }

    /// All filter chains that pass connections on, each with its destinations.
    pub fn streams(&self) -> impl Iterator<Item = (StreamKey, &[Share])> {
        self.ports.streams().map(|(key, route)| (key, &*route.shares))
    }

    /// The port of this number, if it is served.
    #[must_use]
    pub fn port(&self, number: u16) -> Option<&Arc<ServedPort>> {
        self.ports.view(number)
    }

    /// A part of the routing table; none if it is empty.
    #[must_use]
    pub fn part(&self, at: u16) -> Option<&TablePart> {
        self.routes.table().part(at)
    }

    /// The names that are served on demand, each with its certificate.
    #[must_use]
    pub fn names(&self) -> &OrdMap<NameKey, CredentialName> {
        self.ports.names()
    }

    /// The destination of this name, if it is in use.
    #[must_use]
    pub fn upstream(&self, cluster: &str) -> Option<&Arc<Upstream>> {
        self.routes.upstream(cluster)
    }

    /// All destinations that are in use, by name.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.routes.upstreams()
    }

    /// The VirtualServices that name a destination.
    pub fn users(&self, cluster: &str) -> impl Iterator<Item = &ObjectRef> {
        self.routes.users(cluster)
    }

    /// The objects that a port's listener is built from: the Gateways with a server on it, and the VirtualServices that
    /// say where its connections go.
    pub fn objects_of(&self, port: u16) -> impl Iterator<Item = ObjectRef> {
        let gateways = self.gateways().values();
        let own = gateways.filter(move |gateway| gateway.servers.values().any(|server| server.port == port));
        own.map(|gateway| gateway.rank.gateway())
            .chain(self.ports.stream_services(port))
    }

    /// The VirtualServices with a rule in a part of the table.
    #[must_use]
    pub fn services_of(&self, part: u16) -> BTreeSet<ObjectRef> {
        let hosts = self.part(part).into_iter().flat_map(|part| part.routes.keys());
        let rules = hosts.filter_map(|host| self.carried_out(host));
        let rules = rules.filter(|rules| rules.stream.is_none());
        rules
            .flat_map(|rules| rules.services.into_keys())
            .map(|rank| rank.virtual_service())
            .collect()
    }

    /// The namespaces whose Pods are needed: those of Services with a subset in use.
    #[must_use]
    pub fn pod_namespaces(&self) -> &OrdSet<Arc<str>> {
        self.routes.uses().pod_namespaces()
    }

    /// All claims.
    #[must_use]
    pub fn claims(&self) -> Claims {
        let mut claims = self.ports.claims();
        claims.extend(self.owners.claims());
        claims.extend(self.catalog.claims());
        claims
    }

    /// What the rules and the clusters of namespaces use of their budgets.
    pub fn usage(&self) -> impl Iterator<Item = &Usage> {
        std::iter::once(self.budget.usage()).chain(self.routes.uses().usage())
    }

    /// The namespaces whose rules or clusters use more or less than before, since the last time.
    pub fn take_charged(&mut self) -> OrdSet<Arc<str>> {
        let clusters = self.routes.uses_mut().take_charged();
        self.budget.take_charged().union(clusters)
    }

    /// The credentials that Gateways name, and those that are served in their place.
    #[must_use]
    pub fn wanted(&self) -> &OrdSet<CredentialName> {
        self.wants.all()
    }

    /// Builds the routes of a port as data, for explanations.
    #[must_use]
    pub fn table(&self, number: u16) -> TableConfig {
        self.table_with(number, self.routes.table().hosts(number))
    }

    /// The same for one host, which is normalized, and the wildcards that contain it.
    #[must_use]
    pub fn table_of(&self, number: u16, host: &str) -> TableConfig {
        let dots = host.match_indices('.').filter_map(|(at, _)| host.get(at..));
        let wildcards = dots.filter(|suffix| suffix.len() <= LONGEST_NAME);
        let wildcards = wildcards.map(|suffix| Arc::from(format!("*{suffix}")));
        let all: BTreeSet<Arc<str>> = wildcards.chain([Arc::from(host), Arc::from("*")]).collect();
        self.table_with(number, all.into_iter())
    }

    /// The hosts of served ports, in order, with their routes.
    pub fn hosts(&self) -> impl Iterator<Item = (HostKey, &Arc<HostRoutes>)> {
        let table = self.routes.table();
        let numbers = self.ports().map(|port| port.number);
        let hosts = numbers.flat_map(move |number| table.hosts(number).map(move |domain| (number, domain)));
        let hosts = hosts.filter_map(move |host| {
            let routes = table.routes(&host)?;
            Some((host, routes))
        });
        hosts.filter(|(_, routes)| routes.is_served())
    }

    /// Builds the rules of a host, for people; none if it has none.
    #[must_use]
    pub fn listed(&self, host: &HostKey) -> Option<ListedRules> {
        let routes = self.routes.table().routes(host)?;
        let rules = self.carried_out(host).filter(HostRules::is_answered)?;
        if routes.is_closed {
            return Some(ListedRules {
                tried: block::closed(&host.1).rules,
                ..ListedRules::default()
            });
        }
        let lowered = rules::rules(&rules, host.0, self.lookup(), Lowered::with_left_out());
        Some(ListedRules::new(&rules, lowered))
    }

    fn table_with(&self, number: u16, hosts: impl Iterator<Item = Arc<str>>) -> TableConfig {
        let virtual_hosts = hosts.filter_map(|domain| {
            let host = (number, domain);
            let routes = self.routes.table().routes(&host)?;
            let rules = self.carried_out(&host).filter(HostRules::is_answered)?;
            if routes.is_closed {
                return Some(block::closed(&host.1));
            }
            Some(block::config(&host.1, &rules, number, self.lookup()).0)
        });
        TableConfig {
            port: number,
            virtual_hosts: virtual_hosts.collect(),
            ..TableConfig::default()
        }
    }
}

#[cfg(test)]
mod tests;
