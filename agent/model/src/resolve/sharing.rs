//! Which servers of a port share one filter chain, whose certificates a proxy asks for by SNI, one name at a time.
//!
//! That chain names no servers: it takes what no other chain takes, so that a host that is added or removed changes the
//! names and not the listener. A port has at most one, and none if a server for `*` is not part of it.

mod groups;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::groups::Groups;
use super::member::Member;
use super::rank::ServerId;
use crate::CredentialName;
use crate::patterns::PatternMap;
use crate::resolved::{FilterChain, Tls};

/// The group that shares a chain.
#[derive(Debug)]
struct SharedChain {
    group: Arc<str>,
    chain: Arc<FilterChain>,
}

impl SharedChain {
    /// The chain of a group, made of one of its members; the certificate is no part of it.
    fn new(group: &Arc<str>, member: &Member) -> Option<Self> {
        let tls = member.chain.tls.as_deref()?;
        let chain = FilterChain {
            name: format!("on-demand/{group}").into(),
            server_names: Vec::new(),
            tls: Some(Arc::new(Tls {
                certificates: Vec::new(),
                ..tls.clone()
            })),
            on_demand: true,
            http3: false,
            ..FilterChain::clone(&member.chain)
        };
        Some(Self {
            group: Arc::clone(group),
            chain: Arc::new(chain),
        })
    }
}

/// See the module. Depends only on the members, not on their order.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    members: BTreeMap<ServerId, Member>,
    by_pattern: PatternMap<Option<ServerId>>,
    groups: Groups,
    shared: Option<SharedChain>,
    /// The servers' own chains; a server of the group has one for those of its names that a wildcard outside of the
    /// group would take.
    own: BTreeMap<ServerId, Arc<FilterChain>>,
    names: BTreeMap<Arc<str>, CredentialName>,
}

/// A server that was checked, with its previous and current state.
pub(super) type MemberMove = (ServerId, Option<Member>, Option<Member>);

/// A name of a shared chain whose certificate has changed, with the chain.
pub(super) type MovedName = (Arc<str>, Arc<str>);

impl Sharing {
    /// The chains of single servers, in order, then the shared one.
    pub(super) fn chains(&self) -> impl Iterator<Item = &Arc<FilterChain>> {
        let shared = self.shared.iter().map(|shared| &shared.chain);
        self.own.values().chain(shared)
    }

    /// Every server's chain, as if none were shared.
    pub(super) fn single(&self) -> impl Iterator<Item = &Arc<FilterChain>> {
        self.members.values().map(|member| &member.chain)
    }

    /// The certificate for a name of the shared chain, if that is the chain.
    pub(super) fn certificate(&self, chain: &str, pattern: &str) -> Option<&CredentialName> {
        self.shared.as_ref().filter(|own| *own.chain.name == *chain)?;
        self.names.get(pattern)
    }

    /// Updates servers; returns the names whose certificate has changed, each with its chain. From `from` servers
    /// on, a group is served on demand; 0 for never.
    pub(super) fn settle(&mut self, moves: &[MemberMove], from: usize) -> BTreeSet<MovedName> {
        let mut ids: BTreeSet<ServerId> = BTreeSet::new();
        let mut touched: BTreeSet<Arc<str>> = BTreeSet::new();
        let was = self.shared.as_ref().map(|shared| Arc::clone(&shared.group));
        let mut wildcards = BTreeSet::new();
        for (id, before, _) in moves {
            if let Some(before) = before {
                wildcards.extend(self.foreign_wildcards(before, was.as_ref()));
                touched.extend(before.chain.domains());
                self.remove(id, before);
            }
            ids.insert(id.clone());
        }
        for (id, _, now) in moves {
            if let Some(now) = now {
                touched.extend(now.chain.domains());
                self.insert(id, now);
            }
        }
        let catch_all = self.by_pattern.get("*").and_then(Option::as_ref);
        let chosen = self.groups.choose(from, catch_all);
        if chosen != was {
            return self.change(chosen.as_ref());
        }
        for now in moves.iter().filter_map(|(_, _, now)| now.as_ref()) {
            wildcards.extend(self.foreign_wildcards(now, chosen.as_ref()));
        }
        for wildcard in &wildcards {
            touched.extend(
                self.by_pattern
                    .within(wildcard)
                    .map(|(pattern, _)| Arc::from(pattern)),
            );
        }
        ids.extend(
            touched
                .iter()
                .filter_map(|pattern| self.by_pattern.get(pattern)?.clone()),
        );
        ids.iter().for_each(|id| self.settle_chain(id));
        touched
            .into_iter()
            .filter_map(|pattern| self.settle_name(&pattern))
            .collect()
    }

    fn insert(&mut self, id: &ServerId, member: &Member) {
        for pattern in member.chain.domains() {
            *self.by_pattern.entry(&pattern) = Some(id.clone());
        }
        self.groups.insert(id, member);
        self.members.insert(id.clone(), member.clone());
    }

    fn remove(&mut self, id: &ServerId, member: &Member) {
        for pattern in member.chain.domains() {
            self.by_pattern.update(&pattern, |holder| *holder = None);
        }
        self.groups.remove(id, member);
        self.members.remove(id);
    }

    /// Switches to another group's chain, or to none: everything is checked.
    fn change(&mut self, chosen: Option<&Arc<str>>) -> BTreeSet<MovedName> {
        let before = self.shared.take();
        let names = std::mem::take(&mut self.names);
        let gone = before.iter().flat_map(|shared| {
            let names = names.keys();
            names.map(|pattern| (Arc::clone(&shared.chain.name), Arc::clone(pattern)))
        });
        let mut moved: BTreeSet<_> = gone.collect();
        self.shared = chosen.and_then(|group| {
            let oldest = self.groups.oldest(group)?;
            SharedChain::new(group, self.members.get(oldest)?)
        });
        self.own.clear();
        let members: Vec<_> = self.members.keys().cloned().collect();
        members.iter().for_each(|id| self.settle_chain(id));
        let patterns: BTreeSet<_> = self
            .members
            .values()
            .flat_map(|member| member.chain.domains())
            .collect();
        moved.extend(patterns.iter().filter_map(|pattern| self.settle_name(pattern)));
        moved
    }

    fn is_shared(&self, id: &ServerId) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|shared| self.groups.has(&shared.group, id))
    }

    /// The wildcards of a server that is not of the group.
    fn foreign_wildcards(&self, member: &Member, group: Option<&Arc<str>>) -> Vec<Arc<str>> {
        if group.is_none() || member.group().as_ref() == group {
            return Vec::new();
        }
        let domains = member.chain.domains();
        domains.filter(|domain| domain.starts_with('*')).collect()
    }

    /// Whether a proxy would find the chain of another server's wildcard by this name.
    fn is_covered(&self, pattern: &str) -> bool {
        let mut wider = self.by_pattern.containing(pattern).flatten();
        wider.any(|id| !self.is_shared(id))
    }

    fn settle_chain(&mut self, id: &ServerId) {
        let chain = self
            .members
            .get(id)
            .and_then(|member| self.own_chain(id, &member.chain));
        match chain {
            Some(chain) if self.own.get(id) == Some(&chain) => {}
            Some(chain) => drop(self.own.insert(id.clone(), chain)),
            None => drop(self.own.remove(id)),
        }
    }

    fn own_chain(&self, id: &ServerId, chain: &Arc<FilterChain>) -> Option<Arc<FilterChain>> {
        if !self.is_shared(id) {
            return Some(Arc::clone(chain));
        }
        let covered = chain.server_names.iter().filter(|name| self.is_covered(name));
        let server_names: Vec<_> = covered.cloned().collect();
        (!server_names.is_empty()).then(|| {
            Arc::new(FilterChain {
                server_names,
                ..FilterChain::clone(chain)
            })
        })
    }

    fn settle_name(&mut self, pattern: &Arc<str>) -> Option<MovedName> {
        let chain = Arc::clone(&self.shared.as_ref()?.chain.name);
        let holder = self.by_pattern.get(pattern).and_then(Option::as_ref);
        let holder = holder.filter(|id| self.is_shared(id) && !self.is_covered(pattern));
        let now = holder.and_then(|id| self.members.get(id)?.certificate()).cloned();
        let before = match &now {
            Some(now) => self.names.insert(Arc::clone(pattern), now.clone()),
            None => self.names.remove(pattern),
        };
        (before != now).then(|| (chain, Arc::clone(pattern)))
    }
}
