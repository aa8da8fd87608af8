//! Budgets for clusters. A cluster exists once in Envoy, with all endpoints of its service, no matter how many
//! VirtualServices name it. One of their namespaces is charged for it until Envoy no longer has it.

use std::sync::Arc;

use super::meter::Meter;
use crate::ObjectRef;
use crate::budget::{BudgetItem, Cost, Excess};
use crate::tenancy::Tenancy;

/// Whether there is room for a cluster with this many endpoints. If an operator's VirtualService names it, nobody is
/// charged; otherwise, the namespace that is already charged stays so. `users` are in order.
///
/// # Errors
/// A budget that would be exceeded.
pub(super) fn settle<'u>(
    meter: &mut Meter<Arc<str>>,
    cluster: &Arc<str>,
    users: impl Iterator<Item = &'u ObjectRef>,
    endpoints: usize,
) -> Result<(), Excess> {
    let payers = meter.payers(cluster, users);
    let tenants = &meter.policy().tenants;
    if tenants.tenancy == Tenancy::Single || !payers.iter().all(|own| tenants.is_tenant(own)) {
        meter.settle(cluster, []);
        return Ok(());
    }
    let endpoints = u64::try_from(endpoints).unwrap_or(u64::MAX);
    let mut cost = Cost::only(BudgetItem::Clusters, 1);
    cost.set(BudgetItem::ClusterEndpoints, endpoints);
    meter.settle_for_one(cluster, payers, cost)
}
