//! The Gateways that are served, as they are declared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;

use super::gateway::DeclaredGateway;
use super::rank::Rank;
use crate::ObjectRef;

/// Name and namespace of a Gateway: those with the same name are adjacent.
pub(super) type GatewayKey = (Arc<str>, Arc<str>);

/// The key of a Gateway of this name.
pub(super) fn key(name: &ObjectRef) -> GatewayKey {
    (Arc::clone(&name.name), Arc::clone(&name.namespace))
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Gateways {
    by_key: BTreeMap<GatewayKey, Arc<DeclaredGateway>>,
    /// The same, in order of precedence.
    elders: OrdMap<Rank, Arc<DeclaredGateway>>,
}

impl Gateways {
    /// Replaces a Gateway; returns the previous one.
    pub(super) fn replace(
        &mut self,
        key: &GatewayKey,
        now: Option<&Arc<DeclaredGateway>>,
    ) -> Option<Arc<DeclaredGateway>> {
        let before = match now {
            Some(now) => self.by_key.insert(key.clone(), Arc::clone(now)),
            None => self.by_key.remove(key),
        };
        if let Some(before) = &before {
            self.elders.remove(&before.rank);
        }
        if let Some(now) = now {
            self.elders.insert(now.rank.clone(), Arc::clone(now));
        }
        before
    }

    pub(super) fn get(&self, key: &GatewayKey) -> Option<&Arc<DeclaredGateway>> {
        self.by_key.get(key)
    }

    /// A namespace that has a Gateway of this name.
    pub(super) fn namesake(&self, name: &Arc<str>) -> Option<&Arc<str>> {
        let from = (Arc::clone(name), Arc::from(""));
        let first = self.by_key.range(from..).next();
        let namesake = first.filter(|((own, _), _)| own == name);
        namesake.map(|((_, namespace), _)| namespace)
    }

    /// The prefixes of identity headers that they set.
    pub(super) fn prefixes(&self) -> BTreeSet<String> {
        let all = self.by_key.values();
        all.filter_map(|gateway| gateway.prefix.clone()).collect()
    }

    /// All of them, in order of precedence.
    pub(super) fn elders(&self) -> &OrdMap<Rank, Arc<DeclaredGateway>> {
        &self.elders
    }
}
