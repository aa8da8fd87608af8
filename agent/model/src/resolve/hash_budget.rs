//! What rings and tables of hashing clusters use up: a policy of few words may ask for millions of entries, and Envoy makes
//! them anew whenever an endpoint comes or goes. The author of the policy is charged for the clusters that its namespace or an
//! operator uses. For other clusters one of their users is: else a stranger who invents subsets would use up the author's budget.

use std::sync::Arc;

use super::meter::Meter;
use crate::ObjectRef;
use crate::budget::{BudgetItem, Cost, Excess};
use crate::resolved::{Balancing, HashTable, Upstream};
use crate::tenancy::Tenancy;

/// So many entries of a Maglev table are what one of a ring is: an index of some bits, instead of a hash and a pointer.
const MAGLEV_OF_ENTRY: u64 = 8;

/// Whether there is room for the entries of an upstream whose policy is this namespace's. If there is none, it hashes nothing.
///
/// # Errors
/// A budget that would be exceeded.
pub(super) fn settle<'u>(
    meter: &mut Meter<Arc<str>>,
    upstream: &mut Upstream,
    author: Option<&Arc<str>>,
    users: impl Iterator<Item = &'u ObjectRef>,
) -> Result<(), Excess> {
    let hashing = author.zip(entries(upstream));
    let payers = hashing.map(|(author, _)| payers(meter, &upstream.name, author, users));
    let payers = payers.unwrap_or_default();
    let cost = Cost::only(BudgetItem::HashEntries, hashing.map_or(0, |(_, entries)| entries));
    let mut excess = None;
    for payer in payers {
        let refused = meter.settle(&upstream.name, [(payer, cost)]).into_iter().next();
        let Some((_, own)) = refused else {
            return Ok(());
        };
        excess.get_or_insert(own);
    }
    let Some(excess) = excess else {
        meter.settle(&upstream.name, []);
        return Ok(());
    };
    if let Some(policy) = &mut upstream.policy {
        policy.balancing = Balancing::Random;
    }
    Err(excess)
}

/// Those of whom one pays, the first who has room; nobody if an operator would.
fn payers<'u>(
    meter: &Meter<Arc<str>>,
    cluster: &Arc<str>,
    author: &Arc<str>,
    users: impl Iterator<Item = &'u ObjectRef>,
) -> Vec<Arc<str>> {
    let tenants = &meter.policy().tenants;
    if tenants.tenancy == Tenancy::Single {
        return Vec::new();
    }
    let users = meter.payers(cluster, users);
    if users.iter().any(|own| own == author || !tenants.is_tenant(own)) {
        let author = tenants.is_tenant(author).then(|| Arc::clone(author));
        return author.into_iter().collect();
    }
    users
}

/// As many entries as it has, as those of a ring; none if it does not hash.
fn entries(upstream: &Upstream) -> Option<u64> {
    let Balancing::Hash(own) = &upstream.policy.as_ref()?.balancing else {
        return None;
    };
    let entries = own.table.entries(&upstream.endpoints);
    Some(match own.table {
        HashTable::Ring(_) => entries,
        HashTable::Maglev(_) => entries.div_ceil(MAGLEV_OF_ENTRY),
    })
}
