//! The routing table of all ports, in parts: what belongs to each part, and which parts have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_core::table::part_of;

use super::block::HostRoutes;
use super::chain::ConnectionPolicy;
use super::member::Member;
use super::port::Look;
use super::sharing::Sharing;

/// A port and a host pattern.
pub type HostKey = (u16, Arc<str>);

/// One part of the table.
#[derive(Clone, Debug, Default)]
pub struct TablePart {
    /// The routes of each virtual host.
    pub routes: BTreeMap<HostKey, Arc<HostRoutes>>,
    /// What the servers require of connections, by their patterns.
    pub demands: BTreeMap<HostKey, ConnectionPolicy>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Table {
    parts: BTreeMap<u16, TablePart>,
    dirty: BTreeSet<u16>,
}

impl Table {
    /// Replaces the routes of a host; returns the old ones.
    pub(super) fn set_routes(
        &mut self,
        key: &HostKey,
        block: Option<Arc<HostRoutes>>,
    ) -> Option<Arc<HostRoutes>> {
        let at = part_of(key.0, &key.1);
        let part = self.parts.entry(at).or_default();
        let before = part.routes.remove(key);
        let encoded = |block: &Option<Arc<HostRoutes>>| block.as_ref().map(|block| block.encoded.clone());
        if encoded(&before) != encoded(&block) {
            self.dirty.insert(at);
        }
        if let Some(block) = block {
            part.routes.insert(key.clone(), block);
        }
        before
    }

    /// Sets what the servers of this pattern require.
    pub(super) fn set_demand(&mut self, key: &HostKey, demand: Option<ConnectionPolicy>) {
        let at = part_of(key.0, &key.1);
        let part = self.parts.entry(at).or_default();
        if part.demands.get(key) == demand.as_ref() {
            return;
        }
        self.dirty.insert(at);
        match demand {
            Some(demand) => drop(part.demands.insert(key.clone(), demand)),
            None => drop(part.demands.remove(key)),
        }
    }

    /// Updates what the servers of a port require, as its new view says; each requires what it would by itself. Unless
    /// it has changed whether the port has requirements at all, only the servers that were checked are updated.
    pub(super) fn demand(&mut self, number: u16, demands: (bool, bool), sharing: &Sharing, looks: &[Look]) {
        let chain = |member: &Option<Member>| member.as_ref().map(|member| Arc::clone(&member.chain));
        let gone = looks.iter().filter_map(|look| chain(&look.before));
        let here: Vec<_> = match demands {
            (false, false) => return,
            (true, true) => looks.iter().filter_map(|look| chain(&look.now)).collect(),
            (true, false) | (false, true) => sharing.single().cloned().collect(),
        };
        let mut moved = BTreeMap::new();
        for chain in gone {
            moved.extend(chain.domains().map(|domain| ((number, domain), None)));
        }
        for chain in here {
            let demand = chain.demand().filter(|_| demands.1);
            moved.extend(chain.domains().map(|domain| ((number, domain), demand.clone())));
        }
        for (key, demand) in moved {
            self.set_demand(&key, demand);
        }
    }

    /// The hosts of a port, in order.
    pub(super) fn hosts(&self, number: u16) -> impl Iterator<Item = Arc<str>> {
        let hosts: BTreeSet<Arc<str>> = self
            .parts
            .values()
            .flat_map(|part| {
                let own = part.routes.range((number, Arc::from(""))..);
                own.take_while(|((port, _), _)| *port == number)
            })
            .map(|((_, domain), _)| Arc::clone(domain))
            .collect();
        hosts.into_iter()
    }

    pub(super) fn part(&self, at: u16) -> Option<&TablePart> {
        self.parts.get(&at)
    }

    pub(super) fn routes(&self, key: &HostKey) -> Option<&Arc<HostRoutes>> {
        self.parts.get(&part_of(key.0, &key.1))?.routes.get(key)
    }

    #[cfg(test)]
    pub(super) fn all_routes(&self) -> impl Iterator<Item = (&HostKey, &Arc<HostRoutes>)> {
        self.parts.values().flat_map(|part| &part.routes)
    }

    #[cfg(test)]
    pub(super) fn all_demands(&self) -> impl Iterator<Item = (&HostKey, &ConnectionPolicy)> {
        self.parts.values().flat_map(|part| &part.demands)
    }

    pub(super) fn take_dirty(&mut self) -> BTreeSet<u16> {
        std::mem::take(&mut self.dirty)
    }
}
