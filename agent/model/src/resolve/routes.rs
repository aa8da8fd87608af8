//! The routes of all hosts, and their consequences elsewhere: destinations in use, findings about rules, and which
//! hosts must be updated when a service changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Speaker;
use super::block::HostRoutes;
use super::index::Index;
use super::reach::{self, ServiceName};
use super::table::{HostKey, Table};
use super::uses::Uses;
use crate::ObjectRef;
use crate::budget::BudgetPolicy;
use crate::ledger::Ledger;
use crate::resolved::Upstream;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Routes {
    table: Table,
    uses: Uses,
    /// Hosts whose rules take a service's only port.
    assuming: Index<Arc<str>, HostKey>,
    /// Hosts that report about a VirtualService's rules.
    reached: Index<ServiceName, HostKey>,
    /// VirtualServices about which some host's report has changed.
    doubted: BTreeSet<ServiceName>,
}

impl Routes {
    pub(super) fn new(policy: BudgetPolicy) -> Self {
        Self {
            uses: Uses::new(policy),
            ..Self::default()
        }
    }

    /// Which destinations are in use.
    pub(super) fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Which destinations are in use, to be changed.
    pub(super) fn uses_mut(&mut self) -> &mut Uses {
        &mut self.uses
    }

    /// Replaces the routes of a host; returns the old ones.
    pub(super) fn replace(
        &mut self,
        host: &HostKey,
        now: Option<&Arc<HostRoutes>>,
    ) -> Option<Arc<HostRoutes>> {
        if let Some(now) = now {
            self.link(host, now);
        }
        let before = self.table.set_routes(host, now.cloned());
        if let Some(before) = &before {
            self.unlink(host, before, now.map(|now| &**now));
        }
        before
    }

    fn link(&mut self, host: &HostKey, now: &HostRoutes) {
        for of in &now.uses {
            self.uses.add(of);
        }
        for assumed in &now.assumed {
            self.assuming.insert(Arc::clone(assumed), host.clone());
        }
        for service in now.reach.services() {
            self.reached.insert(Arc::clone(&service), host.clone());
            self.doubted.insert(service);
        }
    }

    fn unlink(&mut self, host: &HostKey, before: &HostRoutes, now: Option<&HostRoutes>) {
        for of in &before.uses {
            self.uses.remove(of);
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
            self.doubted.insert(service);
        }
    }

    /// A service's host has changed: its destinations must be updated.
    pub(super) fn touch_service(&mut self, host: &str) {
        self.uses.touch(host);
    }

    /// Hosts whose rules take a service's only port.
    pub(super) fn assuming(&self, host: &str) -> impl Iterator<Item = &HostKey> {
        self.assuming.of(host)
    }

    /// Reports which rules of VirtualServices no host reaches.
    pub(super) fn settle_reach(&mut self, ledger: &mut Ledger<Speaker>) {
        for service in std::mem::take(&mut self.doubted) {
            let hosts = self.reached.of(&service);
            let reaches = hosts.filter_map(|host| Some((&*host.1, &self.table.routes(host)?.reach)));
            let findings = reach::findings(&service, reaches);
            ledger.set(Speaker::Reach(service), findings);
        }
    }

    /// The table that they are served in.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn table_mut(&mut self) -> &mut Table {
        &mut self.table
    }

    /// The VirtualServices that name a destination.
    pub(super) fn users(&self, cluster: &str) -> impl Iterator<Item = &ObjectRef> {
        self.uses.places(cluster)
    }

    /// The destination of this name, if it is in use.
    pub(super) fn upstream(&self, cluster: &str) -> Option<&Arc<Upstream>> {
        self.uses.upstream(cluster)
    }

    /// All destinations that are in use, by name.
    pub(super) fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.uses.upstreams()
    }

    #[cfg(test)]
    pub(super) fn forget_assuming(&mut self) {
        self.assuming = Index::default();
    }

    #[cfg(test)]
    pub(super) fn forget_reached(&mut self) {
        self.reached = Index::default();
    }

    #[cfg(test)]
    pub(super) fn forget_services(&mut self) {
        self.uses.forget_hosts();
    }
}
