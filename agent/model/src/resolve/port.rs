//! The servers of one port: which of them are carried out, and the filter chain of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gateway::DeclaredServer;
use super::member::Member;
use super::own_gateway::Reserved;
use super::patterns::PatternMap;
use super::rank::ServerId;
use super::sharing::{MovedName, Sharing};
use super::standing::{Refusal, ServerStanding, said};
use super::tls::served;
use crate::CredentialName;
use crate::Finding;
use crate::few::Few;
use crate::resolved::{FilterChain, Tls};
use crate::tenancy::Tenancy;

/// With what chains were served, by their server names.
type HeldTls = BTreeMap<Vec<Arc<str>>, Arc<Tls>>;

/// What a port remembers: with what its chains were served, and of which kind it is.
#[cfg(test)]
pub(super) type HeldPort = (HeldTls, Option<bool>);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Servers {
    declared: BTreeMap<ServerId, Arc<DeclaredServer>>,
    by_pattern: PatternMap<Few<ServerId>>,
    standing: BTreeMap<ServerId, ServerStanding>,
    /// With what the hosts of each chain were served last.
    held: HeldTls,
    sharing: Sharing,
    /// How many of them are for TLS.
    secure: usize,
    /// Whether the port is one for TLS: as it was, while a server wants that, else as the oldest does.
    kind: Option<bool>,
    dirty: BTreeSet<ServerId>,
}

/// What a look at a port's servers brought.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Servers that are carried out now and were not, or the other way round, or that changed.
    pub(super) moved: Vec<Arc<DeclaredServer>>,
    /// The servers that were looked at.
    pub(super) looked_at: Vec<Look>,
    /// Names of the shared chain whose certificate is another one now, each with the chain.
    pub(super) names: BTreeSet<MovedName>,
}

/// A server that was looked at.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) id: ServerId,
    /// What is said of it from now on.
    pub(super) said: Vec<Finding>,
    /// The credentials that it wants from now on.
    pub(super) wants: Few<CredentialName>,
    /// Its filter chain until now, and from now on.
    pub(super) before: Option<Member>,
    pub(super) now: Option<Member>,
}

impl Servers {
    pub(super) fn insert(&mut self, server: &Arc<DeclaredServer>) {
        for pattern in server.patterns() {
            self.by_pattern.entry(&pattern).insert(server.id.clone());
        }
        self.declared.insert(server.id.clone(), Arc::clone(server));
        self.secure += usize::from(server.secure);
        self.touch(server);
    }

    pub(super) fn remove(&mut self, server: &Arc<DeclaredServer>) {
        for pattern in server.patterns() {
            self.by_pattern.update(&pattern, |ids| {
                ids.remove(&server.id);
            });
        }
        if let Some(before) = self.declared.remove(&server.id) {
            self.secure -= usize::from(before.secure && self.secure > 0);
        }
        self.touch(server);
    }

    /// It is to be looked at again.
    fn touch(&mut self, server: &DeclaredServer) {
        self.dirty.insert(server.id.clone());
        self.dirty.extend(self.rivals(server));
    }

    /// A port has one kind, and whoever has it keeps it: neither a plain server nor one for TLS takes it off others.
    fn settle_kind(&mut self) {
        let has = |kind: &bool| {
            let count = if *kind {
                self.secure
            } else {
                self.declared.len() - self.secure
            };
            count > 0
        };
        let oldest = || self.declared.values().next().map(|first| first.secure);
        let kind = self.kind.filter(has).or_else(oldest);
        if kind != self.kind {
            self.kind = kind;
            self.dirty.extend(self.declared.keys().cloned());
        }
    }

    pub(super) fn touch_id(&mut self, id: &ServerId) {
        self.dirty.insert(id.clone());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// Younger servers that ask for one of its hosts.
    fn rivals(&self, server: &DeclaredServer) -> BTreeSet<ServerId> {
        let patterns = server.patterns();
        let others = patterns
            .iter()
            .filter_map(|pattern| self.by_pattern.get(pattern))
            .flatten();
        others.filter(|id| **id > server.id).cloned().collect()
    }

    /// Looks at what may have changed, the older ones first: what becomes of a server depends on them alone, unless the port
    /// is kept for something else. They share a chain from so many on.
    pub(super) fn settle(
        &mut self,
        reserved: Option<Reserved>,
        on_demand_from: usize,
        tenancy: Tenancy,
        is_served: &dyn Fn(&CredentialName) -> bool,
    ) -> Settled {
        let mut settled = Settled::default();
        self.settle_kind();
        while let Some(id) = self.dirty.pop_first() {
            let before = self.standing.remove(&id);
            let mut look = Look {
                before: before.as_ref().and_then(ServerStanding::member).cloned(),
                now: None,
                said: Vec::new(),
                wants: Few::default(),
                id,
            };
            if let Some(server) = self.declared.get(&look.id).cloned() {
                let standing = match reserved {
                    Some(reserved) => ServerStanding::Refused(Refusal::Reserved(reserved)),
                    None => self.judge(&server, tenancy, is_served),
                };
                if before.as_ref().map(ServerStanding::is_carried_out) != Some(standing.is_carried_out()) {
                    self.dirty.extend(self.rivals(&server));
                    settled.moved.push(Arc::clone(&server));
                }
                look.said = said(&server, &standing);
                look.now = standing.member().cloned();
                if let ServerStanding::Secure(served, _) = &standing {
                    look.wants = served.names.clone();
                }
                self.standing.insert(look.id.clone(), standing);
            }
            settled.looked_at.push(look);
        }
        self.remember(&settled.looked_at);
        let moves = settled.looked_at.iter().filter(|look| look.before != look.now);
        let moves: Vec<_> = moves
            .map(|look| (look.id.clone(), look.before.clone(), look.now.clone()))
            .collect();
        if !moves.is_empty() {
            settled.names = self.sharing.settle(&moves, on_demand_from);
        }
        settled
    }

    /// What hosts are served with from now on; of hosts without a chain nothing is remembered.
    fn remember(&mut self, looks: &[Look]) {
        let befores = looks.iter().filter_map(|look| look.before.as_ref());
        befores.for_each(|member| drop(self.held.remove(&member.chain.server_names)));
        for member in looks.iter().filter_map(|look| look.now.as_ref()) {
            if let Some(tls) = &member.chain.tls {
                self.held
                    .insert(member.chain.server_names.clone(), Arc::clone(tls));
            }
        }
    }

    fn judge(
        &self,
        server: &DeclaredServer,
        tenancy: Tenancy,
        is_served: &dyn Fn(&CredentialName) -> bool,
    ) -> ServerStanding {
        if self.kind != Some(server.secure) {
            return ServerStanding::Refused(Refusal::Port);
        }
        // The rules of plain servers for one host are merged, as in Istio, unless those who wrote them are strangers.
        let may_share = !server.secure && tenancy == Tenancy::Single;
        if let Some(host) = self.taken(server).filter(|_| !may_share) {
            return ServerStanding::Refused(Refusal::Host(host));
        }
        if !server.secure {
            return ServerStanding::Plain;
        }
        match &server.tls {
            Some(asked) => {
                let served = served(asked, self.held.get(&server.server_names()), is_served);
                let member = Member {
                    chain: Arc::new(FilterChain::secure(server, &served.tls)),
                    certificates: server.certificates,
                };
                ServerStanding::Secure(served, member)
            }
            None => ServerStanding::Refused(Refusal::NoCertificate),
        }
    }

    /// A host that an older server has.
    fn taken(&self, server: &DeclaredServer) -> Option<Arc<str>> {
        let is_other = |id: &ServerId| server.secure || id.gateway.namespace != server.id.gateway.namespace;
        let has = |id: &ServerId, pattern: &str| {
            let standing = self.standing.get(id);
            standing.is_some_and(ServerStanding::is_carried_out)
                && is_other(id)
                && self.declared.get(id).is_some_and(|older| older.holds(pattern))
        };
        server.patterns().into_iter().find(|pattern| {
            let rivals = self.by_pattern.get(pattern).into_iter().flatten();
            rivals
                .take_while(|id| **id < server.id)
                .any(|id| has(id, pattern))
        })
    }

    /// Servers that are carried out, by a pattern of theirs.
    pub(super) fn of_pattern(&self, pattern: &str) -> impl Iterator<Item = &Arc<DeclaredServer>> {
        self.carried_out(self.by_pattern.get(pattern).into_iter().flatten())
    }

    /// Servers that are carried out and have a wider pattern than this.
    pub(super) fn containing<'s>(
        &'s self,
        pattern: &'s str,
    ) -> impl Iterator<Item = (&'s Arc<DeclaredServer>, Arc<str>)> {
        let wider = self.by_pattern.containing(pattern).flatten();
        self.carried_out(wider).flat_map(move |server| {
            let patterns = server.patterns();
            let wider = patterns.into_iter().filter(move |own| {
                **own != *pattern && sealgate_core::host::intersection(own, pattern) == Some(pattern)
            });
            wider.map(move |own| (server, own))
        })
    }

    /// Those of [`Self::containing`] whose pattern is the narrowest.
    pub(super) fn narrowest<'s>(
        &'s self,
        pattern: &'s str,
    ) -> impl Iterator<Item = (&'s Arc<DeclaredServer>, Arc<str>)> {
        let longest = self.containing(pattern).map(|(_, own)| own.len()).max();
        self.containing(pattern)
            .filter(move |(_, own)| Some(own.len()) == longest)
    }

    /// Patterns of servers within this one.
    pub(super) fn patterns_within<'s>(&'s self, pattern: &str) -> impl Iterator<Item = String> + use<'s> {
        self.by_pattern.within(pattern).map(|(pattern, _)| pattern)
    }

    fn carried_out<'s>(
        &'s self,
        ids: impl Iterator<Item = &'s ServerId>,
    ) -> impl Iterator<Item = &'s Arc<DeclaredServer>> {
        let ids = ids.filter(|id| !matches!(self.standing.get(id), None | Some(ServerStanding::Refused(_))));
        ids.filter_map(|id| self.declared.get(id))
    }

    /// The filter chains of servers with TLS.
    pub(super) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Servers without TLS that are carried out.
    pub(super) fn plain(&self) -> impl Iterator<Item = &Arc<DeclaredServer>> {
        let plain = self
            .standing
            .iter()
            .filter(|(_, standing)| **standing == ServerStanding::Plain);
        plain.filter_map(|(id, _)| self.declared.get(id))
    }

    /// What chains were served with, for a fresh look at the same servers.
    #[cfg(test)]
    pub(super) fn held(&self) -> HeldPort {
        (self.held.clone(), self.kind)
    }

    #[cfg(test)]
    pub(super) fn set_held(&mut self, (held, kind): HeldPort) {
        self.held = held;
        self.kind = kind;
    }
}
