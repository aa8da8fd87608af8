//! What rings and tables of hashing clusters use up: a policy of few words may ask for millions of entries, and Envoy makes
//! them anew whenever an endpoint comes or goes. Whoever asks for them is charged, whoever names the destination.

use std::sync::Arc;

use super::meter::Meter;
use crate::budget::{BudgetItem, Cost, Excess};
use crate::resolved::{Balancing, HashTable, Upstream};
use crate::tenancy::Tenancy;

/// So many entries of a Maglev table are what one of a ring is: an index of some bits, instead of a hash and a pointer.
const MAGLEV_OF_ENTRY: u64 = 8;

/// Whether there is room for what the policy of this namespace asks for. If there is none, the upstream hashes nothing.
///
/// # Errors
/// A budget that would be exceeded.
pub(super) fn settle(
    meter: &mut Meter<Arc<str>>,
    upstream: &mut Upstream,
    author: Option<&Arc<str>>,
) -> Result<(), Excess> {
    let tenants = &meter.policy().tenants;
    let author = author.filter(|own| tenants.tenancy != Tenancy::Single && tenants.is_tenant(own));
    let wanted = author.cloned().zip(entries(upstream));
    let wanted = wanted.map(|(author, entries)| (author, Cost::only(BudgetItem::HashEntries, entries)));
    let refused = meter.settle(&upstream.name, wanted).into_iter().next();
    let Some((_, excess)) = refused else {
        return Ok(());
    };
    if let Some(policy) = &mut upstream.policy {
        policy.balancing = Balancing::Random;
    }
    Err(excess)
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
