//! Which VirtualServices have rules for a host of a port, and through which Gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gateway::DeclaredServer;
use super::port::Servers;
use super::rank::Rank;
use super::service::{Service, Services};
use super::stream_route::StreamServer;
use crate::protocol::ServerProtocol;

/// The rules of one host, as they were declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostRules {
    /// Plain HTTP is answered with a redirect.
    pub(super) https_redirect: bool,
    /// By age, each with the Gateways through which it is bound.
    pub(super) services: BTreeMap<Rank, BTreeSet<Rank>>,
    /// Namespaces whose delegates are left out.
    pub(super) without: BTreeSet<Arc<str>>,
    /// VirtualServices that name the host, but are bound only to a wider server, from which this server takes it.
    pub(super) hidden: BTreeSet<Rank>,
    /// The namespace whose rules come before those of all others; none if age alone decides.
    pub(super) owner: Option<Arc<str>>,
    /// The server of the host, if it passes connections on as a whole, by the rules for TLS or TCP only.
    pub(super) stream: Option<StreamServer>,
}

/// What is declared for a host, a name or a wildcard; none if nothing serves it by that name. A server's pattern and a
/// VirtualService's host have the narrower one in common: so one of them is `domain`, and the other is equal or wider.
///
/// A host belongs to the narrowest server that matches it, like the filter chain of a connection; wider servers do not
/// affect it.
pub(super) fn declared(domain: &str, servers: &Servers, services: &Services) -> Option<HostRules> {
    let mut rules = HostRules::default();
    let (mut is_served, mut is_taken) = (false, false);
    for server in servers.of_pattern(domain) {
        is_taken = true;
        is_served |= server.https_redirect;
        rules.https_redirect |= server.https_redirect;
        let all = services.of_host(domain).chain(services.containing(domain));
        all.for_each(|service| rules.bind(server, domain, service));
    }
    if !is_taken {
        for (server, pattern) in servers.narrowest(domain) {
            services
                .of_host(domain)
                .for_each(|service| rules.bind(server, &pattern, service));
        }
    }
    if is_taken {
        let unbound = services.of_host(domain);
        let unbound = unbound.filter(|service| !rules.services.contains_key(&service.rank));
        let hidden = unbound.filter(|service| is_bound_wider(domain, service, servers));
        rules.hidden = hidden.map(|service| service.rank.clone()).collect();
    }
    (is_served || rules.is_something()).then_some(rules)
}

/// Whether a VirtualService is bound to a server with a wildcard that this host lies within.
fn is_bound_wider(domain: &str, service: &Service, servers: &Servers) -> bool {
    let bare = domain.strip_prefix("*.").unwrap_or(domain);
    let dots = bare.match_indices('.').filter_map(|(at, _)| bare.get(at..));
    let mut wider = dots.map(|rest| format!("*{rest}")).chain(["*".to_owned()]);
    wider.any(|pattern| {
        let mut all = servers.of_pattern(&pattern);
        all.any(|server| {
            server.is_open(&pattern, &service.meta.namespace) && service.is_bound(&server.id.gateway)
        })
    })
}

impl HostRules {
    /// Whether there are rules for the host; otherwise, it only lists whose rules are hidden.
    pub(super) fn is_answered(&self) -> bool {
        self.stream.is_none() && (self.https_redirect || !self.services.is_empty())
    }

    /// Whether there is anything to serve or report for the host.
    pub(super) fn is_something(&self) -> bool {
        self.is_answered() || !self.hidden.is_empty() || self.stream.is_some()
    }

    /// The VirtualServices in groups, one after the other: the catch-all rules of a group come before the next group.
    /// The owner's group is the first, and each other namespace has its own.
    pub(super) fn groups(&self) -> Vec<Vec<(&Rank, &BTreeSet<Rank>)>> {
        let Some(owner) = &self.owner else {
            return vec![self.services.iter().collect()];
        };
        let mut order = vec![owner];
        let mut groups: BTreeMap<&Arc<str>, Vec<_>> = BTreeMap::new();
        for service in &self.services {
            let namespace = &service.0.namespace;
            if !order.contains(&namespace) {
                order.push(namespace);
            }
            groups.entry(namespace).or_default().push(service);
        }
        order
            .into_iter()
            .filter_map(|namespace| groups.remove(namespace))
            .collect()
    }

    /// Removes a namespace's rules, including those that others delegate to; returns its VirtualServices.
    pub(super) fn leave_out(&mut self, namespace: &Arc<str>) -> Vec<Rank> {
        let own = self.services.keys().filter(|rank| rank.namespace == *namespace);
        let own: Vec<Rank> = own.cloned().collect();
        own.iter().for_each(|rank| drop(self.services.remove(rank)));
        self.without.insert(Arc::clone(namespace));
        own
    }

    /// The VirtualServices whose rules come after the owner's.
    pub(super) fn strangers(&self) -> impl Iterator<Item = &Rank> {
        let all = self.services.keys();
        all.filter(|rank| self.owner.as_ref().is_some_and(|owner| rank.namespace != *owner))
    }

    /// The host with only the owner's rules; none if all rules are the owner's.
    pub(super) fn owners_alone(&self) -> Option<Self> {
        let owner = self.owner.as_ref()?;
        let mut own = self.clone();
        own.services.retain(|rank, _| rank.namespace == *owner);
        (own.services.len() < self.services.len()).then_some(own)
    }

    /// Adds a VirtualService that has rules for the host through a Gateway.
    pub(super) fn speaks(&mut self, service: &Service, gateway: &Rank) {
        let gateways = self.services.entry(service.rank.clone()).or_default();
        gateways.insert(gateway.clone());
    }

    fn bind(&mut self, server: &Arc<DeclaredServer>, pattern: &str, service: &Service) {
        let gateway = &server.id.gateway;
        if server.is_open(pattern, &service.meta.namespace) && service.is_bound(gateway) {
            self.https_redirect |= server.https_redirect;
            self.speaks(service, gateway);
        }
    }
}

/// The hosts of a port that a server may affect.
pub(super) fn of_server(server: &DeclaredServer, services: &Services) -> BTreeSet<Arc<str>> {
    let mut domains = BTreeSet::new();
    if server.protocol == ServerProtocol::Tcp {
        return server.patterns().into_iter().collect();
    }
    for pattern in server.patterns() {
        // Even if they are not bound to it: a narrower server takes hosts from wider ones.
        domains.extend(services.within(&pattern).map(|(host, _)| host));
        domains.extend(services.server_names_within(&pattern));
        domains.insert(pattern);
    }
    domains
}

/// The hosts of a port that a VirtualService may affect.
pub(super) fn of_service(service: &Service, servers: &Servers) -> BTreeSet<Arc<str>> {
    let mut domains = BTreeSet::new();
    let server_names = service.server_names();
    for host in service.hosts.iter().chain(&server_names) {
        domains.extend(servers.patterns_within(host).map(Arc::from));
        domains.insert(Arc::clone(host));
    }
    // A server for TCP gets all connections, for any host.
    domains.extend((!service.spec.tcp.is_empty()).then(|| "*".into()));
    domains
}
