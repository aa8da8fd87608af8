//! Resources that Envoy would reject are not published: the previous version stays, and the problem is noted.

use std::collections::{BTreeMap, BTreeSet};

use super::named;
use crate::snapshot::{Draft, Resource, ResourceKey, TypeUrl};
use crate::valid::{Addresses, Broken, Violation};

/// See the module.
#[derive(Debug, Default)]
pub struct Withheld {
    refused: BTreeMap<ResourceKey, Violation>,
    /// Resources whose problem has changed since the last call of [`Self::take_mended`].
    moved: BTreeSet<ResourceKey>,
    addresses: Addresses,
    /// Whether an address was freed since the last call of [`Self::take_waiting`].
    is_freed: bool,
}

impl Withheld {
    /// Publishes a resource, if Envoy accepts it.
    pub(super) fn offer(
        &mut self,
        draft: &mut Draft<'_>,
        kind: TypeUrl,
        name: &str,
        made: Result<Resource, Violation>,
    ) {
        match made {
            Ok(resource) => {
                self.forget(kind, name);
                draft.put(kind, name, resource);
            }
            Err(violation) => self.refuse(kind, name, violation),
        }
    }

    /// The same for a listener, which needs an address that no other one has. Otherwise, it is not even built.
    pub(super) fn offer_listener(
        &mut self,
        draft: &mut Draft<'_>,
        name: &str,
        address: String,
        make: impl FnOnce() -> Result<Resource, Violation>,
    ) {
        let made = self.addresses.check(name, &address).and_then(|()| make());
        if made.is_ok() {
            self.addresses.take(name, address);
        }
        self.offer(draft, TypeUrl::Listener, name, made);
    }

    /// Removes a resource.
    pub(super) fn remove(&mut self, draft: &mut Draft<'_>, kind: TypeUrl, name: &str) {
        self.forget(kind, name);
        if kind == TypeUrl::Listener {
            self.is_freed |= self.addresses.free(name);
        }
        draft.remove(kind, name);
    }

    /// The ports whose listeners wait for an address, if one was freed.
    pub(super) fn take_waiting(&mut self) -> Vec<u16> {
        if !std::mem::take(&mut self.is_freed) {
            return Vec::new();
        }
        let waiting = self.refused.iter().filter(|((kind, _), violation)| {
            *kind == TypeUrl::Listener && matches!(violation.broken(), Broken::AddressTaken(..))
        });
        waiting
            .filter_map(|((_, name), _)| named::port_of_listener(name))
            .collect()
    }

    /// Why a resource is withheld, if it is.
    pub fn get(&self, key: &ResourceKey) -> Option<&Violation> {
        self.refused.get(key)
    }

    /// All withheld resources, and why.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceKey, &Violation)> {
        self.refused.iter()
    }

    /// The resources that have stopped being withheld since the last call.
    pub fn take_mended(&mut self) -> Vec<ResourceKey> {
        let moved = std::mem::take(&mut self.moved);
        moved
            .into_iter()
            .filter(|key| !self.refused.contains_key(key))
            .collect()
    }

    fn refuse(&mut self, kind: TypeUrl, name: &str, violation: Violation) {
        tracing::error!(kind = kind.short(), name, %violation, "not published: Envoy would reject it");
        self.refused.insert((kind, name.into()), violation);
    }

    fn forget(&mut self, kind: TypeUrl, name: &str) {
        let key = (kind, name.into());
        if self.refused.remove(&key).is_some() {
            self.moved.insert(key);
        }
    }
}

#[cfg(test)]
mod tests;
