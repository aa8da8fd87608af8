//! Budgets for the rings and tables of clusters that hash: a short policy may ask for millions of entries, and Envoy
//! rebuilds them whenever an endpoint is added or removed. The policy's namespace is charged for clusters that it or an
//! operator uses. For other clusters, one of their users is charged: else others could use up the author's budget by
//! naming invented subsets.

use std::sync::Arc;

use super::meter::Meter;
use crate::ObjectRef;
use crate::budget::{BudgetItem, Cost, Excess};
use crate::resolved::{Balancing, HashTable, Upstream};
use crate::tenancy::Tenancy;

/// This many entries of a Maglev table take the memory of one in a ring: each is an index of a few bits, instead of a
/// hash and a pointer.
const MAGLEV_OF_ENTRY: u64 = 8;

/// Checks that there is room for the entries of an upstream whose policy belongs to this namespace. If not, it does not
/// hash.
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

/// The namespaces of which the first that has room is charged; none if an operator would be.
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

/// How many entries it has, as the equivalent number in a ring; none if it does not hash.
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
