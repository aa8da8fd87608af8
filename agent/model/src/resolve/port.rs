//! The servers of one port: which of them are served, with which of their hosts, and the filter chain of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claims::{Claimant, HostClaims};
use super::gateway::DeclaredServer;
use super::http3;
use super::member::Member;
use super::own_gateway::Reserved;
use super::rank::ServerId;
use super::sharing::{MovedName, Sharing};
use super::standing::{Judgement, Loss, LostHost, Refusal, ServerStanding, said};
use super::tls::served;
use super::world::World;
use crate::CredentialName;
use crate::Finding;
use crate::few::Few;
use crate::patterns::PatternMap;
use crate::protocol::{PortKind, ServerProtocol};
use crate::resolved::{FilterChain, Tls};
use crate::tenancy::{HostWord, Tenancy, Tenants};

/// The TLS settings that chains were served with, by their server names.
pub(super) type HeldTls = BTreeMap<Vec<Arc<str>>, Arc<Tls>>;

/// What decides about servers and does not depend on their port.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) tenants: &'a Tenants,
    pub(super) on_demand_from: usize,
    /// What the port is reserved for, if anything.
    pub(super) reserved: Option<Reserved>,
    pub(super) world: World<'a>,
    /// The namespace whose rules come first on a host, even if a wider server has it.
    pub(super) routed_by: &'a dyn Fn(&str) -> Option<Arc<str>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Servers {
    declared: BTreeMap<ServerId, Arc<DeclaredServer>>,
    /// Servers that may not have any hosts, whatever the port's kind, and why.
    unfit: BTreeMap<ServerId, Refusal>,
    /// Servers that may, by the kind of port that they need.
    fit: BTreeSet<(PortKind, ServerId)>,
    claims: HostClaims,
    standing: BTreeMap<ServerId, Judgement>,
    /// Servers that are served, by the patterns that they have.
    by_pattern: PatternMap<Few<ServerId>>,
    /// The TLS settings that the hosts of each chain were last served with.
    held: HeldTls,
    sharing: Sharing,
    /// The port's kind: it stays while a server wants it; then it is what the oldest server wants.
    kind: Option<PortKind>,
    /// Whether the kind has changed since the last [`Self::settle`].
    kind_moved: bool,
    dirty: BTreeSet<ServerId>,
    /// Patterns whose holder may no longer want them.
    loose: BTreeSet<Arc<str>>,
}

/// The result of checking a port's servers.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Servers that are newly served, no longer served, or changed.
    pub(super) moved: Vec<Arc<DeclaredServer>>,
    /// The servers that were checked.
    pub(super) looked_at: Vec<Look>,
    /// Names of the shared chain whose certificate has changed, each with the chain.
    pub(super) names: BTreeSet<MovedName>,
    /// Patterns with a new holder, or none.
    pub(super) claims: BTreeMap<Arc<str>, Option<Claimant>>,
    /// The port's kind, if it has changed.
    pub(super) kind: Option<Option<PortKind>>,
}

/// A server that was checked.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) id: ServerId,
    /// The current findings about it.
    pub(super) said: Vec<Finding>,
    /// The credentials that it wants now.
    pub(super) wants: Few<CredentialName>,
    /// Its filter chain before and now.
    pub(super) before: Option<Member>,
    pub(super) now: Option<Member>,
}

/// Input: what is declared.
impl Servers {
    pub(super) fn insert(&mut self, server: &Arc<DeclaredServer>) {
        self.claims.insert(server);
        self.declared.insert(server.id.clone(), Arc::clone(server));
        self.touch(server);
    }

    pub(super) fn remove(&mut self, server: &Arc<DeclaredServer>) {
        self.claims.remove(server);
        self.declared.remove(&server.id);
        self.touch(server);
    }

    /// Marks a server to be checked again, and those that wait for one of its hosts.
    fn touch(&mut self, server: &DeclaredServer) {
        self.dirty.insert(server.id.clone());
        self.loose.extend(server.patterns());
        self.touch_siblings(server);
    }

    /// Marks the servers of the same Gateway that ask for the same hosts: the first one gets them.
    fn touch_siblings(&mut self, server: &DeclaredServer) {
        for pattern in server.patterns().iter().filter(|_| server.is_exclusive()) {
            let siblings = self.claims.wanting(pattern);
            let siblings = siblings.filter(|id| id.gateway == server.id.gateway);
            self.dirty.extend(siblings.cloned());
        }
    }

    /// Marks the servers that wait for a host to be checked again; returns whether there are any.
    pub(super) fn touch_waiting(&mut self, pattern: &Arc<str>) -> bool {
        let mut waiting = self.claims.waiting(pattern).peekable();
        let are_any = waiting.peek().is_some();
        self.dirty.extend(waiting.cloned());
        are_any
    }

    pub(super) fn touch_id(&mut self, id: &ServerId) {
        self.dirty.insert(id.clone());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// Restores the port's kind.
    pub(super) fn remember_kind(&mut self, kind: PortKind) {
        self.kind.get_or_insert(kind);
    }

    /// Restores the holder of a host, which keeps the host if it still wants it.
    pub(super) fn remember_host(&mut self, pattern: &Arc<str>, holder: &Claimant) {
        if self.claims.holder(pattern).is_none() {
            self.claims.give(pattern, Some(holder.clone()));
            self.loose.insert(Arc::clone(pattern));
        }
    }
}

/// Computing the result.
impl Servers {
    /// Checks the servers that may have changed, the oldest first: it gets a free host that several ask for.
    pub(super) fn settle(&mut self, terms: Terms<'_>) -> Settled {
        let mut settled = Settled::default();
        self.settle_fitness(terms);
        self.settle_kind(terms.tenants);
        self.settle_claims();
        while let Some(id) = self.dirty.pop_first() {
            let before = self.standing.remove(&id);
            if let Some(before) = &before {
                self.index(before, false);
            }
            let mut look = Look {
                before: before.as_ref().and_then(Judgement::member).cloned(),
                now: None,
                said: Vec::new(),
                wants: Few::default(),
                id,
            };
            if let Some(server) = self.declared.get(&look.id).cloned() {
                let now = self.judge(&server, terms);
                if before.as_ref().map(|own| &own.server) != Some(&now.server) {
                    settled.moved.push(Arc::clone(&server));
                }
                look.said = said(&server, &now, terms.world);
                look.now = now.member().cloned();
                look.wants = now.wants(&server);
                self.index(&now, true);
                self.standing.insert(look.id.clone(), now);
            }
            settled.looked_at.push(look);
        }
        let moves = settled.looked_at.iter().filter(|look| look.before != look.now);
        let moves: Vec<_> = moves
            .map(|look| (look.id.clone(), look.before.clone(), look.now.clone()))
            .collect();
        if !moves.is_empty() {
            settled.names = self.sharing.settle(&moves, terms.on_demand_from);
        }
        let moved = self.claims.take_moved().into_iter();
        settled.claims = moved
            .map(|pattern| (Arc::clone(&pattern), self.claims.holder(&pattern).cloned()))
            .collect();
        settled.kind = std::mem::take(&mut self.kind_moved).then_some(self.kind);
        settled
    }

    /// Updates which servers may have hosts, whatever the port's kind.
    fn settle_fitness(&mut self, terms: Terms<'_>) {
        for id in self.dirty.clone() {
            let server = self.declared.get(&id).cloned();
            let now = server.as_ref().and_then(|server| unfitness(server, terms));
            for kind in [PortKind::Plain, PortKind::Tls, PortKind::Tcp] {
                self.fit.remove(&(kind, id.clone()));
            }
            if let Some(server) = server.as_ref().filter(|_| now.is_none()) {
                self.fit.insert((server.protocol.port_kind(), id.clone()));
            }
            if self.unfit.get(&id) == now.as_ref() {
                continue;
            }
            match now {
                Some(now) => drop(self.unfit.insert(id, now)),
                None => drop(self.unfit.remove(&id)),
            }
            if let Some(server) = server {
                self.loose.extend(server.patterns());
                self.touch_siblings(&server);
            }
        }
    }

    /// A port has one kind and keeps it while a server wants it, so that no server of another kind can take it from
    /// others. Otherwise, the operator's oldest server decides, or else the oldest. Servers that may not have hosts do
    /// not count.
    fn settle_kind(&mut self, tenants: &Tenants) {
        let has = |kind: &PortKind| self.fit.iter().any(|(own, _)| own == kind);
        let first = || {
            let all: BTreeSet<(&ServerId, PortKind)> =
                self.fit.iter().map(|(kind, id)| (id, *kind)).collect();
            let mut operators = all.iter();
            let operators = operators.find(|(id, _)| tenants.is_operator(&id.gateway.namespace));
            let (_, kind) = operators.or_else(|| all.iter().next())?;
            Some(*kind)
        };
        let kind = self.kind.filter(has).or_else(first);
        if kind != self.kind {
            self.kind = kind;
            self.kind_moved = true;
            self.dirty.extend(self.declared.keys().cloned());
            self.loose
                .extend(self.declared.values().flat_map(|server| server.patterns()));
        }
    }

    /// Takes hosts from holders that no longer want them or may not have them; servers that wait for one are checked
    /// again.
    fn settle_claims(&mut self) {
        for pattern in std::mem::take(&mut self.loose) {
            let holder = self.claims.holder(&pattern);
            if holder.is_some_and(|holder| !self.still_wants(holder, &pattern)) {
                self.claims.give(&pattern, None);
            }
            self.dirty.extend(self.claims.waiting(&pattern).cloned());
        }
    }

    fn still_wants(&self, holder: &Claimant, pattern: &str) -> bool {
        let mut wanting = self.claims.wanting(pattern).filter(|id| self.may_have_hosts(id));
        wanting.any(|id| {
            let server = self.declared.get(id);
            server.is_some_and(|server| Claimant::of(server) == *holder)
        })
    }

    fn may_have_hosts(&self, id: &ServerId) -> bool {
        self.kind
            .is_some_and(|kind| self.fit.contains(&(kind, id.clone())))
    }

    /// Why a server may not have any hosts, no matter who else asks for them.
    fn obstacle(&self, server: &DeclaredServer) -> Option<Refusal> {
        let unfit = self.unfit.get(&server.id).cloned();
        unfit.or_else(|| (self.kind != Some(server.protocol.port_kind())).then_some(Refusal::Port))
    }

    /// Notes the TLS settings that hosts are now served with, at the end of a step; forgets hosts without a chain.
    pub(super) fn note_tls(&mut self, looks: &[Look]) {
        let befores = looks.iter().filter_map(|look| look.before.as_ref());
        befores.for_each(|member| drop(self.held.remove(&member.chain.server_names)));
        for member in looks.iter().filter_map(|look| look.now.as_ref()) {
            if let Some(tls) = &member.chain.tls {
                self.held
                    .insert(member.chain.server_names.clone(), Arc::clone(tls));
            }
        }
    }

    fn judge(&mut self, server: &Arc<DeclaredServer>, terms: Terms<'_>) -> Judgement {
        if let Some(obstacle) = self.obstacle(server) {
            for pattern in server.patterns() {
                self.claims.set_waiting(&pattern, &server.id, false);
            }
            return Judgement::refused(obstacle);
        }
        let lost = self.claim(server, terms);
        let own = untold(without(server, &lost), terms.tenants);
        if own.hosts.is_empty() {
            return Judgement {
                lost,
                ..Judgement::refused(Refusal::Hosts)
            };
        }
        let member = |chain| Member {
            chain: Arc::new(chain),
            certificates: own.certificates,
        };
        let standing = match (own.protocol, &own.tls) {
            (ServerProtocol::Secure | ServerProtocol::SecureTcp, Some(asked)) => {
                let served = served(asked, self.held.get(&own.server_names()), terms.world.is_served);
                let chain = FilterChain {
                    http3: http3::is_served(&own, &served.tls, terms.world),
                    ..FilterChain::secure(&own, &served.tls)
                };
                let member = member(chain);
                ServerStanding::Secure(served, member)
            }
            (ServerProtocol::Passthrough, _) => {
                ServerStanding::Passthrough(member(FilterChain::passthrough(&own)))
            }
            (ServerProtocol::Tcp, _) => ServerStanding::Tcp,
            _ => ServerStanding::Plain,
        };
        Judgement {
            server: Some(own),
            standing,
            lost,
        }
    }

    /// Claims the server's hosts that are free; returns those that it cannot have.
    fn claim(&mut self, server: &DeclaredServer, terms: Terms<'_>) -> Vec<LostHost> {
        let tenants = terms.tenants;
        let own = Claimant::of(server);
        // The rules of plain servers for one host are merged, as in Istio, unless namespaces do not trust each other.
        let is_shared = !server.is_exclusive() && tenants.tenancy == Tenancy::Single;
        let mut lost = Vec::new();
        for pattern in server.patterns() {
            let word = tenants.host(&own.namespace, &pattern);
            let loss = match self.claims.holder(&pattern) {
                _ if word == HostWord::Denied => Some(Loss::NotAllowed),
                _ if is_shared => None,
                Some(holder) if *holder != own => Some(Loss::Taken(holder.clone())),
                None if word != HostWord::Granted => self.kept(server, &pattern, terms),
                Some(_) | None => None,
            };
            let loss = loss.or_else(|| self.is_repeated(server, &pattern).then_some(Loss::Repeated));
            if loss.is_none() && !is_shared && self.claims.holder(&pattern).is_none() {
                self.claims.give(&pattern, Some(own.clone()));
            }
            self.claims.set_waiting(&pattern, &server.id, loss.is_some());
            lost.extend(loss.map(|loss| LostHost { pattern, loss }));
        }
        lost
    }

    /// Why this server cannot have a host, although no server has it.
    fn kept(&self, server: &DeclaredServer, pattern: &str, terms: Terms<'_>) -> Option<Loss> {
        let namespace = &server.id.gateway.namespace;
        let routed = (terms.routed_by)(pattern).filter(|owner| owner != namespace);
        let routed = routed.filter(|_| terms.tenants.is_tenant(namespace));
        self.reserving(server, pattern, terms.tenants)
            .or_else(|| routed.map(Loss::Routed))
    }

    /// Whether an earlier server of the same Gateway has this pattern.
    fn is_repeated(&self, server: &DeclaredServer, pattern: &str) -> bool {
        let wanting = self.claims.wanting(pattern);
        let mut own = wanting.filter(|id| id.gateway == server.id.gateway && id.at < server.id.at);
        server.is_exclusive() && own.any(|id| self.may_have_hosts(id))
    }

    /// A wider pattern of another namespace that reserves the hosts within it.
    fn reserving(&self, server: &DeclaredServer, pattern: &str, tenants: &Tenants) -> Option<Loss> {
        let namespace = &server.id.gateway.namespace;
        let mut wider = self.claims.wider(pattern).filter(|(wider, _)| wider != "*");
        // The operator's narrowest pattern decides who may have the host, as a host belongs to the narrowest server.
        let operators = wider.find(|(_, holder)| tenants.is_operator(&holder.namespace));
        let found = operators.filter(|(wider, holder)| {
            let holders = self.claims.wanting(wider).filter_map(|id| self.declared.get(id));
            let holders = holders.filter(|server| Claimant::of(server) == **holder);
            let hosts = holders.flat_map(|server| &server.hosts);
            let open_to = hosts.filter(|host| *host.pattern == **wider);
            let open_to = open_to.map(|host| host.namespace.clone());
            tenants.is_reserved(namespace, &holder.namespace, open_to)
        });
        found.map(|(wider, holder)| Loss::Within(wider.into(), Arc::clone(&holder.namespace)))
    }

    /// Adds a served server to the index by pattern, or removes it.
    fn index(&mut self, standing: &Judgement, there: bool) {
        let Some(server) = &standing.server else { return };
        for pattern in server.patterns() {
            self.by_pattern.update(&pattern, |ids| {
                if there {
                    ids.insert(server.id.clone());
                } else {
                    ids.remove(&server.id);
                }
            });
        }
    }
}

/// Why a server may not have any hosts, whatever the port's kind and no matter who else asks for them.
fn unfitness(server: &DeclaredServer, terms: Terms<'_>) -> Option<Refusal> {
    let namespace = &server.id.gateway.namespace;
    if let Some(reserved) = terms.reserved {
        return Some(Refusal::Reserved(reserved));
    }
    if !terms.tenants.allows_port(namespace, server.port) {
        return Some(Refusal::PortNotAllowed);
    }
    if !server.protocol.ends_tls() {
        return None;
    }
    let Some(tls) = &server.tls else {
        return Some(Refusal::NoCertificate);
    };
    let mut denied = tls
        .credentials()
        .filter(|name| !(terms.world.may_name)(namespace, name));
    denied.next().map(Refusal::NotGranted)
}

/// Plain servers share a chain, and therefore what upstreams are told about its connections: a tenant cannot set that.
fn untold(server: Arc<DeclaredServer>, tenants: &Tenants) -> Arc<DeclaredServer> {
    if server.protocol != ServerProtocol::Plain
        || server.identity.is_none()
        || !tenants.is_tenant(&server.id.gateway.namespace)
    {
        return server;
    }
    Arc::new(DeclaredServer {
        identity: None,
        ..DeclaredServer::clone(&server)
    })
}

/// The server with the hosts that it has.
fn without(server: &Arc<DeclaredServer>, lost: &[LostHost]) -> Arc<DeclaredServer> {
    if lost.is_empty() {
        return Arc::clone(server);
    }
    let lost: BTreeSet<&str> = lost.iter().map(|lost| &*lost.pattern).collect();
    let is_lost = |pattern: &str| server.protocol == ServerProtocol::Tcp || lost.contains(pattern);
    let hosts = server.hosts.iter().filter(|host| !is_lost(&host.pattern));
    Arc::new(DeclaredServer {
        hosts: hosts.cloned().collect(),
        ..DeclaredServer::clone(server)
    })
}

/// Getters.
impl Servers {
    /// Served servers that have this pattern.
    pub(super) fn of_pattern(&self, pattern: &str) -> impl Iterator<Item = &Arc<DeclaredServer>> {
        self.carried_out(self.by_pattern.get(pattern).into_iter().flatten())
    }

    /// The narrowest wider pattern that served servers have, with these servers.
    pub(super) fn narrowest<'s>(
        &'s self,
        pattern: &'s str,
    ) -> impl Iterator<Item = (&'s Arc<DeclaredServer>, Arc<str>)> {
        let narrowest = self.by_pattern.wider(pattern).next();
        narrowest.into_iter().flat_map(|(wider, ids)| {
            let wider: Arc<str> = wider.into();
            self.carried_out(ids.iter())
                .map(move |server| (server, Arc::clone(&wider)))
        })
    }

    /// Patterns of servers within this one.
    pub(super) fn patterns_within<'s>(&'s self, pattern: &str) -> impl Iterator<Item = String> + use<'s> {
        self.by_pattern.within(pattern).map(|(pattern, _)| pattern)
    }

    fn carried_out<'s>(
        &'s self,
        ids: impl Iterator<Item = &'s ServerId>,
    ) -> impl Iterator<Item = &'s Arc<DeclaredServer>> {
        ids.filter_map(|id| self.standing.get(id)?.server.as_ref())
    }

    /// The filter chains of servers with TLS.
    pub(super) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Served servers without TLS.
    pub(super) fn plain(&self) -> impl Iterator<Item = &Arc<DeclaredServer>> {
        let plain = self
            .standing
            .values()
            .filter(|own| own.standing == ServerStanding::Plain);
        plain.filter_map(|own| own.server.as_ref())
    }

    /// The server for TCP, if the port has one.
    pub(super) fn tcp(&self) -> Option<&Arc<DeclaredServer>> {
        let ids = self.by_pattern.get("*").into_iter().flatten();
        let mut tcp = ids.filter_map(|id| self.standing.get(id));
        tcp.find(|own| own.standing == ServerStanding::Tcp)?
            .server
            .as_ref()
    }

    /// The holders of the port's hosts.
    pub(super) fn claims(&self) -> impl Iterator<Item = (String, &Claimant)> {
        self.claims.all()
    }

    /// The port's kind; none if it has no servers.
    pub(super) fn kind(&self) -> Option<PortKind> {
        self.kind
    }

    /// The TLS settings that chains were served with, to resolve the same servers from scratch.
    #[cfg(test)]
    pub(super) fn held(&self) -> HeldTls {
        self.held.clone()
    }

    #[cfg(test)]
    pub(super) fn set_held(&mut self, held: HeldTls) {
        self.held = held;
    }
}
