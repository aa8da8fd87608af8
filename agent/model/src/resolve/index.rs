//! An index: several values for each key, and no key without a value.

use std::collections::BTreeMap;

use crate::few::Few;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Index<K, V>(BTreeMap<K, Few<V>>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V: Ord> Index<K, V> {
    /// The values of a key, in order.
    pub(super) fn of<Q: Ord + ?Sized>(&self, key: &Q) -> impl Iterator<Item = &V> + use<'_, Q, K, V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key).into_iter().flatten()
    }

    /// Whether a key has a value.
    pub(super) fn has(&self, key: &K) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.0.entry(key).or_default().insert(value);
    }

    pub(super) fn remove(&mut self, key: &K, value: &V) {
        if let Some(values) = self.0.get_mut(key) {
            values.remove(value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }
}
