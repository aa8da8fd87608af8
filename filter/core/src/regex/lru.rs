//! A bounded cache of values that are costly to make: the least recently used goes first.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// The size of a value.
pub(super) trait Size {
    /// In bytes; it may grow as the value is used.
    fn bytes(&self) -> usize;
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The maximum number of values.
    pub(super) count: usize,
    /// The maximum number of bytes of all together; a single larger value is kept until the next one comes.
    pub(super) bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    entries: HashMap<K, LruEntry<V>>,
    bounds: Bounds,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct LruEntry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Hash + Eq + Clone, V: Size> Lru<K, V> {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            entries: HashMap::new(),
            bounds,
            bytes: 0,
            clock: 0,
        }
    }

    /// Uses a value, and makes it if it is missing.
    pub(super) fn with<Q, R, E>(
        &mut self,
        key: &Q,
        make: impl FnOnce() -> Result<V, E>,
        apply: impl FnOnce(&mut V) -> R,
    ) -> Result<R, E>
    where
        K: Borrow<Q> + for<'q> From<&'q Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.clock += 1;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.used = self.clock;
            let result = apply(&mut entry.value);
            let bytes = entry.value.bytes();
            self.bytes = self.bytes.saturating_sub(entry.bytes).saturating_add(bytes);
            entry.bytes = bytes;
            self.shrink();
            return Ok(result);
        }
        let mut value = make()?;
        let result = apply(&mut value);
        let (bytes, used) = (value.bytes(), self.clock);
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.insert(K::from(key), LruEntry { value, bytes, used });
        self.shrink();
        Ok(result)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Removes values, except the one that was just used.
    fn shrink(&mut self) {
        while self.entries.len() > 1
            && (self.entries.len() > self.bounds.count || self.bytes > self.bounds.bytes)
        {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            if let Some(gone) = self.entries.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(gone.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Size for usize {
        fn bytes(&self) -> usize {
            *self
        }
    }

    fn kept(cache: &Lru<String, usize>) -> Vec<&str> {
        let mut keys: Vec<_> = cache.entries.keys().map(String::as_str).collect();
        keys.sort_unstable();
        keys
    }

    fn touch(cache: &mut Lru<String, usize>, key: &str, bytes: usize) {
        let made = cache.with(key, || Ok::<_, ()>(bytes), |value| *value = bytes);
        assert_eq!(made, Ok(()));
    }

    #[test]
    fn what_was_asked_for_the_longest_ago_goes_first() {
        let mut cache = Lru::new(Bounds { count: 3, bytes: 10 });
        for key in ["a", "b", "c", "a", "d"] {
            touch(&mut cache, key, 1);
        }
        assert_eq!(kept(&cache), ["a", "c", "d"]);
        touch(&mut cache, "d", 9);
        assert_eq!((kept(&cache), cache.bytes), (vec!["a", "d"], 10), "one has grown");
        touch(&mut cache, "huge", 100);
        assert_eq!(kept(&cache), ["huge"], "it is used all the same");
        touch(&mut cache, "a", 1);
        assert_eq!((kept(&cache), cache.bytes), (vec!["a"], 1));
    }

    #[test]
    fn what_cannot_be_made_is_not_kept() {
        let mut cache: Lru<String, usize> = Lru::new(Bounds { count: 3, bytes: 10 });
        assert_eq!(cache.with("a", || Err("no"), |_| ()), Err("no"));
        assert!(kept(&cache).is_empty() && cache.bytes == 0);
    }
}
