//! What namespaces use of their budgets for items of one kind whose size depends on several objects, and which items
//! had to be left out because there was no room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdSet;

use crate::ObjectRef;
use crate::budget::{BudgetPolicy, Cost, Excess, Usage};

/// What each namespace is charged for one item.
type Charges = Vec<(Arc<str>, Cost)>;

/// See the module. `K` identifies an item.
#[derive(Debug)]
pub(super) struct Meter<K> {
    policy: BudgetPolicy,
    usage: Usage,
    charges: BTreeMap<K, Charges>,
    /// Items that a namespace has no room for.
    starved: BTreeMap<Arc<str>, BTreeSet<K>>,
    /// Whether a namespace has used less since [`Self::take_hopeful`] was last called.
    freed: bool,
}

impl<K> Default for Meter<K> {
    fn default() -> Self {
        Self::new(BudgetPolicy::default())
    }
}

impl<K> Meter<K> {
    pub(super) fn new(policy: BudgetPolicy) -> Self {
        Self {
            policy,
            usage: Usage::default(),
            charges: BTreeMap::new(),
            starved: BTreeMap::new(),
            freed: false,
        }
    }

    pub(super) fn policy(&self) -> &BudgetPolicy {
        &self.policy
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The namespaces whose usage has changed since the last call.
    pub(super) fn take_charged(&mut self) -> OrdSet<Arc<str>> {
        self.usage.take_moved()
    }
}

impl<K: Ord + Clone> Meter<K> {
    /// Charges an item to all namespaces that use it, in place of what was charged for it before. Returns those that
    /// have no room for it, with the reason.
    pub(super) fn settle(
        &mut self,
        thing: &K,
        wanted: impl IntoIterator<Item = (Arc<str>, Cost)>,
    ) -> Vec<(Arc<str>, Excess)> {
        self.spare(thing);
        let before = self.take_back(thing);
        let mut now = Charges::new();
        let mut refused = Vec::new();
        for (namespace, cost) in wanted {
            match self.charge(thing, &namespace, cost) {
                Ok(()) => now.push((namespace, cost)),
                Err(excess) => refused.push((namespace, excess)),
            }
        }
        self.keep(thing, &before, now);
        refused
    }

    /// Charges an item to the first of some namespaces that has room for it. If none has, what was charged before stays
    /// charged until it is released.
    ///
    /// # Errors
    /// A budget that would be exceeded.
    pub(super) fn settle_for_one(
        &mut self,
        thing: &K,
        namespaces: impl IntoIterator<Item = Arc<str>>,
        cost: Cost,
    ) -> Result<(), Excess> {
        self.spare(thing);
        let before = self.take_back(thing);
        let mut refused = Ok(());
        for namespace in namespaces {
            match self.charge(thing, &namespace, cost) {
                Ok(()) => {
                    self.spare(thing);
                    self.keep(thing, &before, vec![(namespace, cost)]);
                    return Ok(());
                }
                Err(excess) => refused = refused.and(Err(excess)),
            }
        }
        for (namespace, cost) in &before {
            self.usage.change(namespace, Cost::default(), *cost);
        }
        self.keep(thing, &[], before);
        refused
    }

    fn charge(&mut self, thing: &K, namespace: &Arc<str>, cost: Cost) -> Result<(), Excess> {
        let change = (Cost::default(), cost);
        let admitted = self.usage.admits(&self.policy.budgets, namespace, change);
        if admitted.is_ok() {
            self.usage.change(namespace, change.0, change.1);
        } else {
            let starved = self.starved.entry(Arc::clone(namespace)).or_default();
            starved.insert(thing.clone());
        }
        admitted
    }

    fn take_back(&mut self, thing: &K) -> Charges {
        let charges = self.charges.remove(thing).unwrap_or_default();
        for (namespace, cost) in &charges {
            self.usage.change(namespace, *cost, Cost::default());
        }
        charges
    }

    fn keep(&mut self, thing: &K, before: &[(Arc<str>, Cost)], now: Charges) {
        let keeps = |(namespace, cost): &(Arc<str>, Cost)| {
            let mut now = now.iter().filter(|own| own.0 == *namespace);
            now.any(|own| !cost.is_more_of_some(own.1))
        };
        self.freed |= !before.iter().all(keeps);
        if !now.is_empty() {
            self.charges.insert(thing.clone(), now);
        }
    }

    /// No namespace waits for room for this item any more.
    pub(super) fn spare(&mut self, thing: &K) {
        for things in self.starved.values_mut() {
            things.remove(thing);
        }
        self.starved.retain(|_, things| !things.is_empty());
    }

    /// Removes an item: it is no longer charged to any namespace.
    pub(super) fn release(&mut self, thing: &K) {
        self.freed |= !self.take_back(thing).is_empty();
    }

    /// The namespaces of an item's users, of which one is charged: first the one that already is.
    pub(super) fn payers<'u>(&self, thing: &K, users: impl Iterator<Item = &'u ObjectRef>) -> Vec<Arc<str>> {
        let mut namespaces: Vec<_> = users.map(|user| Arc::clone(&user.namespace)).collect();
        namespaces.dedup();
        namespaces.sort_by_key(|own| !self.charged(thing).any(|charged| charged == own));
        namespaces
    }

    /// The namespaces that are charged for an item.
    pub(super) fn charged(&self, thing: &K) -> impl Iterator<Item = &Arc<str>> {
        let charges = self.charges.get(thing).into_iter().flatten();
        charges.map(|(namespace, _)| namespace)
    }

    /// The namespaces that have no room for an item.
    pub(super) fn starved(&self, thing: &K) -> impl Iterator<Item = &Arc<str>> {
        let starved = self.starved.iter().filter(|(_, things)| things.contains(thing));
        starved.map(|(namespace, _)| namespace)
    }

    /// Whether there may now be room for items that were left out.
    pub(super) fn is_hopeful(&self) -> bool {
        self.freed && !self.starved.is_empty()
    }

    /// Items for which there may now be room, by the namespace that had none.
    pub(super) fn take_hopeful(&mut self) -> BTreeMap<Arc<str>, BTreeSet<K>> {
        if std::mem::take(&mut self.freed) {
            self.starved.clone()
        } else {
            BTreeMap::new()
        }
    }
}
