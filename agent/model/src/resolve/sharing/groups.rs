//! Which servers could share a chain, and which group of them does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::member::Member;
use super::super::rank::ServerId;
use crate::annotation::Certificates;

/// Servers that could share a chain.
#[derive(Debug, Default)]
struct Group {
    members: BTreeSet<ServerId>,
    /// How many of them ask for it by annotation.
    asking: usize,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<Arc<str>, Group>);

impl Groups {
    pub(super) fn insert(&mut self, id: &ServerId, member: &Member) {
        if let Some(group) = member.group() {
            let group = self.0.entry(group).or_default();
            group.members.insert(id.clone());
            group.asking += usize::from(member.certificates == Certificates::OnDemand);
        }
    }

    pub(super) fn remove(&mut self, id: &ServerId, member: &Member) {
        if let Some(key) = member.group()
            && let Some(group) = self.0.get_mut(&key)
        {
            group.members.remove(id);
            group.asking -= usize::from(member.certificates == Certificates::OnDemand && group.asking > 0);
            if group.members.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    /// Of the groups that have at least this many servers (0 for never), or that ask to share, the one with the oldest
    /// server, so that later servers do not change the choice. A group without the port's server for `*` does not
    /// qualify: that server would take the connections of its chain.
    pub(super) fn choose(&self, from: usize, catch_all: Option<&ServerId>) -> Option<Arc<str>> {
        let qualifies = |group: &Group| {
            let enough = from > 0 && group.members.len() >= from;
            (enough || group.asking > 0) && catch_all.is_none_or(|id| group.members.contains(id))
        };
        let groups = self.0.iter().filter(|(_, group)| qualifies(group));
        let oldest = groups.min_by_key(|(_, group)| group.members.first());
        oldest.map(|(key, _)| Arc::clone(key))
    }

    /// The oldest server of a group.
    pub(super) fn oldest(&self, group: &str) -> Option<&ServerId> {
        self.0.get(group)?.members.first()
    }

    pub(super) fn has(&self, group: &str, id: &ServerId) -> bool {
        self.0.get(group).is_some_and(|group| group.members.contains(id))
    }
}
