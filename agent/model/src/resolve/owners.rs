//! Whose rules come first on a host for which several namespaces have rules: those of the namespace that had rules
//! first. With `--tenancy single`, age alone decides, as in Istio.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claims::{Claim, Claimant, Tenure};
use super::hosts::HostRules;
use super::table::HostKey;
use crate::tenancy::Tenancy;

/// See the module.
#[derive(Debug)]
pub(super) struct HostOwners {
    tenancy: Tenancy,
    owners: BTreeMap<HostKey, Arc<str>>,
    /// Hosts whose owner has changed since the last call.
    moved: BTreeSet<HostKey>,
}

impl HostOwners {
    pub(super) fn new(tenancy: Tenancy) -> Self {
        Self {
            tenancy,
            owners: BTreeMap::new(),
            moved: BTreeSet::new(),
        }
    }

    /// Restores the owner of a host; it keeps the host if it still has rules for it.
    pub(super) fn remember(&mut self, key: HostKey, namespace: &Arc<str>) {
        self.owners.insert(key, Arc::clone(namespace));
    }

    /// The namespace whose rules come first on a host.
    pub(super) fn owner(&self, key: &HostKey) -> Option<Arc<str>> {
        self.owners.get(key).cloned()
    }

    /// Sets the rules of a host.
    pub(super) fn settle(&mut self, key: &HostKey, rules: Option<HostRules>) -> Option<HostRules> {
        let namespaces = || {
            rules
                .iter()
                .flat_map(|rules| rules.services.keys().map(|rank| &rank.namespace))
        };
        let before = self.owners.get(key);
        let stays = before.filter(|before| namespaces().any(|namespace| namespace == *before));
        let now = stays.or_else(|| namespaces().next()).cloned();
        let now = now.filter(|_| self.tenancy == Tenancy::Namespaces);
        if before != now.as_ref() {
            self.moved.insert(key.clone());
            match &now {
                Some(now) => drop(self.owners.insert(key.clone(), Arc::clone(now))),
                None => drop(self.owners.remove(key)),
            }
        }
        Some(HostRules { owner: now, ..rules? })
    }

    /// The rules of a host, with the namespace whose rules come first.
    pub(super) fn of(&self, key: &HostKey, rules: HostRules) -> HostRules {
        HostRules {
            owner: self.owners.get(key).cloned(),
            ..rules
        }
    }

    /// The claims that have changed since the last call.
    pub(super) fn take_moved(&mut self) -> impl Iterator<Item = (Claim, Option<Tenure>)> {
        let moved = std::mem::take(&mut self.moved).into_iter();
        moved.map(|key| {
            let owner = self.owners.get(&key).map(tenure);
            (Claim::Routes(key.0, key.1), owner)
        })
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = (Claim, Tenure)> {
        let owners = self.owners.iter();
        owners.map(|((port, domain), owner)| (Claim::Routes(*port, Arc::clone(domain)), tenure(owner)))
    }
}

fn tenure(namespace: &Arc<str>) -> Tenure {
    Tenure::Of(Claimant {
        namespace: Arc::clone(namespace),
        name: None,
    })
}
