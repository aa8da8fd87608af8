//! Budgets: how much of what all namespaces share one of them may use. `docs/reference/limits.md` has the numbers and
//! what they bound.

mod cost;
mod near;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use thiserror::Error;

pub use self::cost::{Cost, cost, weight, weight_of_streams};
pub use self::near::near;
use crate::tenancy::Tenants;

/// From this share of a budget on, a finding warns that it is nearly used up.
const NEAR_PERCENT: u64 = 80;

/// What budgets limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetItem {
    /// Ports of servers, counted once for each Gateway.
    Ports,
    /// Hosts of servers.
    Hosts,
    /// Prefixes of identity headers that are not the default one.
    Prefixes,
    /// Rules by their [`weight`], counted once for each host; delegates' rules in place of their roots'.
    Rules,
    /// Destinations, counted once for each VirtualService.
    Destinations,
    /// Lists of mirrors, counted once for each VirtualService.
    Mirrors,
    /// Endpoints of ServiceEntries, counted once for each host.
    Endpoints,
    /// Destinations as clusters: one without a port may be several.
    Clusters,
    /// Endpoints, counted once for each cluster of their service.
    ClusterEndpoints,
    /// Entries of hash rings and tables, counted once for each cluster that has one.
    HashEntries,
    /// Subsets of DestinationRules.
    DestinationRuleSubsets,
}

/// All items, with the default limits for each namespace and for all tenants together.
const ITEMS: [(BudgetItem, &str, u64, u64); 11] = [
    (BudgetItem::Ports, "ports", 50, 1_000),
    (BudgetItem::Hosts, "hosts", 20_000, 200_000),
    (BudgetItem::Prefixes, "prefixes", 2, 16),
    (BudgetItem::Rules, "rules", 100_000, 500_000),
    (BudgetItem::Destinations, "destinations", 20_000, 50_000),
    (BudgetItem::Mirrors, "mirrors", 20, 200),
    (BudgetItem::Endpoints, "endpoints", 50_000, 500_000),
    (BudgetItem::Clusters, "clusters", 20_000, 50_000),
    (
        BudgetItem::ClusterEndpoints,
        "cluster-endpoints",
        100_000,
        500_000,
    ),
    (BudgetItem::HashEntries, "hash-entries", 2_000_000, 20_000_000),
    (
        BudgetItem::DestinationRuleSubsets,
        "destination-rule-subsets",
        20_000,
        100_000,
    ),
];

/// The prefix of a limit for all tenants together.
const TOTAL: &str = "total-";

impl BudgetItem {
    /// Its name in `--budgets`.
    #[must_use]
    pub fn word(self) -> &'static str {
        let mut all = ITEMS.iter();
        all.find(|row| row.0 == self).map_or("", |row| row.1)
    }

    /// All items.
    pub fn all() -> impl Iterator<Item = Self> {
        ITEMS.into_iter().map(|row| row.0)
    }
}

/// The limits for each namespace, and for all tenants together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    each: Cost,
    total: Cost,
}

impl Default for Budgets {
    fn default() -> Self {
        let (mut each, mut total) = (Cost::default(), Cost::default());
        for (resource, _, own, all) in ITEMS {
            each.set(resource, own);
            total.set(resource, all);
        }
        Self { each, total }
    }
}

/// Not `NAME=NUMBER,...`.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?}: expected NAME=NUMBER, where NAME is one of {names}, or one of these with the prefix {TOTAL}", names = names())]
pub struct BudgetError(String);

fn names() -> String {
    ITEMS.map(|row| row.1).join(", ")
}

impl Budgets {
    /// How much of a resource a namespace may use.
    #[must_use]
    pub fn each(&self, resource: BudgetItem) -> u64 {
        self.each.of(resource)
    }
}

impl FromStr for Budgets {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let mut budgets = Self::default();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let refused = || BudgetError(pair.to_owned());
            let (name, number) = pair.split_once('=').ok_or_else(refused)?;
            let (limits, name) = match name.trim().strip_prefix(TOTAL) {
                Some(name) => (&mut budgets.total, name),
                None => (&mut budgets.each, name.trim()),
            };
            let row = ITEMS.iter().find(|row| row.1 == name).ok_or_else(refused)?;
            limits.set(row.0, number.trim().parse().map_err(|_| refused())?);
        }
        Ok(budgets)
    }
}

/// In the syntax of `--budgets`.
impl fmt::Display for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (item, name, ..)) in ITEMS.into_iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let (each, total) = (self.each.of(item), self.total.of(item));
            write!(f, "{comma}{name}={each},{TOTAL}{name}={total}")?;
        }
        Ok(())
    }
}

/// A budget that would be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// Which one.
    pub resource: BudgetItem,
    /// What would be used.
    pub used: u64,
    /// The limit.
    pub limit: u64,
    /// Whether the limit is that for all tenants together.
    pub is_total: bool,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            resource,
            used,
            limit,
            is_total,
        } = *self;
        let whose = if is_total {
            "all namespaces together"
        } else {
            "the namespace"
        };
        let (word, prefix) = (resource.word(), if is_total { TOTAL } else { "" });
        write!(
            f,
            "{whose} would have {used} {word}, but the limit is {limit} (--budgets {prefix}{word}=N allows more)"
        )
    }
}

/// What namespaces use. Operators' namespaces are not counted, and with `--tenancy single`, none is.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    by_namespace: OrdMap<Arc<str>, Cost>,
    total: Cost,
    /// The namespaces whose usage has changed since [`Self::take_moved`] was last called.
    moved: OrdSet<Arc<str>>,
}

impl Usage {
    /// Whether a namespace may change its usage from one cost to another. Using less is always allowed.
    ///
    /// # Errors
    /// A budget that would be exceeded.
    pub fn admits(
        &self,
        budgets: &Budgets,
        namespace: &str,
        (before, now): (Cost, Cost),
    ) -> Result<(), Excess> {
        let own = self.by_namespace.get(namespace).copied().unwrap_or_default();
        for resource in BudgetItem::all().filter(|resource| now.of(*resource) > before.of(*resource)) {
            for (used, limit, is_total) in [
                (own.of(resource), budgets.each.of(resource), false),
                (self.total.of(resource), budgets.total.of(resource), true),
            ] {
                let used = used
                    .saturating_sub(before.of(resource))
                    .saturating_add(now.of(resource));
                if used > limit {
                    return Err(Excess {
                        resource,
                        used,
                        limit,
                        is_total,
                    });
                }
            }
        }
        Ok(())
    }

    /// Changes what a namespace uses.
    pub fn change(&mut self, namespace: &Arc<str>, before: Cost, now: Cost) {
        let own = self.by_namespace.get(namespace).copied().unwrap_or_default();
        let own = own.less(before).and(now);
        self.moved.insert(Arc::clone(namespace));
        self.total = self.total.less(before).and(now);
        if own == Cost::default() {
            self.by_namespace.remove(namespace);
        } else {
            self.by_namespace.insert(Arc::clone(namespace), own);
        }
    }

    /// The namespaces whose usage has changed since the last call.
    pub fn take_moved(&mut self) -> OrdSet<Arc<str>> {
        std::mem::take(&mut self.moved)
    }

    /// The budgets that a namespace has nearly used up.
    pub fn near(&self, budgets: &Budgets, namespace: &str) -> impl Iterator<Item = BudgetItem> {
        let own = self.by_namespace.get(namespace).copied().unwrap_or_default();
        BudgetItem::all().filter(move |item| {
            let (used, limit) = (own.of(*item), budgets.each(*item));
            used > 0 && used.saturating_mul(100) >= limit.saturating_mul(NEAR_PERCENT)
        })
    }

    /// What each namespace uses.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Cost)> {
        self.by_namespace.iter()
    }
}

/// Budgets, and which namespaces have them.
#[derive(Clone, Debug, Default)]
pub struct BudgetPolicy {
    /// Which namespaces are tenants.
    pub tenants: Tenants,
    /// Their limits.
    pub budgets: Budgets,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(count: u64) -> Cost {
        Cost::only(BudgetItem::Hosts, count)
    }

    #[test]
    fn budgets_are_read_and_what_is_none_is_named() {
        let budgets: Budgets = "hosts=7, total-rules=9".parse().unwrap();
        assert_eq!(budgets.each.of(BudgetItem::Hosts), 7);
        assert_eq!(budgets.total.of(BudgetItem::Rules), 9);
        assert_eq!(budgets.each.of(BudgetItem::Ports), 50);
        assert_eq!("".parse(), Ok(Budgets::default()));
        for bad in [
            "hosts",
            "hosts=",
            "hosts=-1",
            "host=1",
            "total-=1",
            "total-host=1",
        ] {
            let error = bad.parse::<Budgets>().unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn nobody_gets_beyond_a_budget_and_less_is_always_taken() {
        let budgets: Budgets = "hosts=10,total-hosts=15".parse().unwrap();
        let (mut usage, a, b) = (Usage::default(), Arc::from("a"), Arc::from("b"));
        let none = Cost::default();
        assert_eq!(usage.admits(&budgets, &a, (none, hosts(10))), Ok(()));
        let excess = usage.admits(&budgets, &a, (none, hosts(11))).unwrap_err();
        assert_eq!((excess.used, excess.limit, excess.is_total), (11, 10, false));
        usage.change(&a, none, hosts(7));
        assert_eq!(usage.near(&budgets, &a).next(), None);
        usage.change(&a, hosts(7), hosts(8));
        assert_eq!(usage.near(&budgets, &a).collect::<Vec<_>>(), [BudgetItem::Hosts]);
        usage.change(&a, hosts(8), hosts(10));
        assert_eq!(
            usage.take_moved().into_iter().collect::<Vec<_>>(),
            [Arc::clone(&a)]
        );
        assert!(usage.admits(&budgets, &a, (none, hosts(1))).is_err());
        assert!(usage.admits(&budgets, &a, (hosts(5), hosts(5))).is_ok());
        assert!(
            usage
                .admits(&budgets, &b, (none, hosts(6)))
                .is_err_and(|excess| excess.is_total)
        );
        usage.change(&b, none, hosts(5));
        // The budget was lowered: a namespace that is above it may still use less.
        let lower: Budgets = "hosts=3,total-hosts=3".parse().unwrap();
        assert!(usage.admits(&lower, &a, (hosts(10), hosts(9))).is_ok());
        usage.change(&a, hosts(10), none);
        usage.change(&b, hosts(5), none);
        assert!(usage.iter().next().is_none() && usage.total == none);
    }
}
