//! What the clusters of namespaces use up: each is one in Envoy with all endpoints of its service, however many VirtualServices
//! name it. One of their namespaces is charged for it, until Envoy has it no more.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdSet;

use super::meter::Meter;
use crate::ObjectRef;
use crate::budget::{BudgetItem, BudgetPolicy, Cost, Excess, Usage};
use crate::tenancy::Tenancy;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ClusterBudget(Meter<Arc<str>>);

impl ClusterBudget {
    pub(super) fn new(policy: BudgetPolicy) -> Self {
        Self(Meter::new(policy))
    }

    /// Whether there is room for a cluster of so many endpoints. What an operator's VirtualService
    /// names is charged to nobody; whoever is charged stays so. `users` are in order.
    ///
    /// # Errors
    /// A budget that would be exceeded.
    pub(super) fn settle<'u>(
        &mut self,
        cluster: &Arc<str>,
        users: impl Iterator<Item = &'u ObjectRef>,
        endpoints: usize,
    ) -> Result<(), Excess> {
        let mut namespaces: Vec<_> = users.map(|user| &user.namespace).collect();
        namespaces.dedup();
        let tenants = &self.0.policy().tenants;
        if tenants.tenancy == Tenancy::Single || !namespaces.iter().all(|own| tenants.is_tenant(own)) {
            self.0.settle(cluster, []);
            return Ok(());
        }
        let charged: Vec<_> = self.0.charged(cluster).cloned().collect();
        namespaces.sort_by_key(|own| !charged.contains(*own));
        let endpoints = u64::try_from(endpoints).unwrap_or(u64::MAX);
        let mut cost = Cost::only(BudgetItem::Clusters, 1);
        cost.set(BudgetItem::ClusterEndpoints, endpoints);
        let payers = namespaces.into_iter().cloned();
        self.0.settle_for_one(cluster, payers, cost)
    }

    /// Nobody names a cluster any more.
    pub(super) fn spare(&mut self, cluster: &Arc<str>) {
        self.0.spare(cluster);
    }

    /// Envoy has a cluster no more.
    pub(super) fn release(&mut self, cluster: &Arc<str>) {
        self.0.release(cluster);
    }

    /// Whether there may be room now for what there was none.
    pub(super) fn is_hopeful(&self) -> bool {
        self.0.is_hopeful()
    }

    /// Clusters for which there may be room now, those of one namespace together.
    pub(super) fn take_hopeful(&mut self) -> impl Iterator<Item = BTreeSet<Arc<str>>> + use<> {
        self.0.take_hopeful().into_values()
    }

    pub(super) fn usage(&self) -> &Usage {
        self.0.usage()
    }

    /// The namespaces that use more or less than before, since the last time.
    pub(super) fn take_charged(&mut self) -> OrdSet<Arc<str>> {
        self.0.take_charged()
    }
}
