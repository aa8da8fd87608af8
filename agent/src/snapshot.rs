//! What is served now. One [`Publisher`] makes [`Snapshot`]s, readers hold a `watch::Receiver`. The maps are
//! persistent: a snapshot shares everything with the one before it but what changed, and the difference of two is
//! found without looking at what they share.

mod kind;
mod names;
mod publisher;
mod resource;
mod unjudged;

use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

pub use self::kind::TypeUrl;
pub use self::names::{CHAIN_HEADER, NO_SNI, OnDemandNames};
pub use self::publisher::{Draft, Publisher};
pub use self::resource::{Body, Measure, Resource, Version};
pub use self::unjudged::{MayBeOf, Unjudged};

/// Names a resource.
pub type ResourceKey = (TypeUrl, Arc<str>);
type Resources = OrdMap<Arc<str>, Arc<Resource>>;

/// Everything that is served, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    generation: u64,
    types: [Resources; TypeUrl::ALL.len()],
    names: OnDemandNames,
    unjudged: Unjudged,
}

impl Snapshot {
    /// Counts publications.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// One resource.
    #[must_use]
    pub fn get(&self, kind: TypeUrl, name: &str) -> Option<&Arc<Resource>> {
        self.of(kind).get(name)
    }

    /// The resources of this kind alone: for who compares with it later, and must not keep the private keys that were served
    /// then.
    #[must_use]
    pub fn only(&self, kind: TypeUrl) -> Self {
        let mut only = Self::default();
        only.types[kind as usize] = self.of(kind).clone();
        only
    }

    /// The names of a kind, in order.
    pub fn names(&self, kind: TypeUrl) -> impl Iterator<Item = &Arc<str>> {
        self.of(kind).keys()
    }

    /// The names of a kind whose resources differ between `before` and this.
    #[must_use]
    pub fn changed_since(&self, before: &Self, kind: TypeUrl) -> Vec<Arc<str>> {
        let changes = before.of(kind).diff(self.of(kind));
        changes
            .map(|item| match item {
                DiffItem::Add(name, _) | DiffItem::Remove(name, _) => Arc::clone(name),
                DiffItem::Update { new: (name, _), .. } => Arc::clone(name),
            })
            .collect()
    }

    /// The names that are given on demand.
    #[must_use]
    pub fn on_demand(&self) -> &OnDemandNames {
        &self.names
    }

    /// Whether a proxy that has a resource of this name from an agent before this one is to keep it as it is.
    #[must_use]
    pub fn is_unjudged(&self, kind: TypeUrl, name: &str) -> bool {
        self.unjudged.has(kind, name, self.get(kind, name).is_some())
    }

    /// What may be of objects that could not be read.
    #[must_use]
    pub fn unjudged(&self) -> &Unjudged {
        &self.unjudged
    }

    fn of(&self, kind: TypeUrl) -> &Resources {
        &self.types[kind as usize]
    }
}

#[cfg(test)]
mod tests;
