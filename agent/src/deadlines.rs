//! What ends at a time of its own, in order of time: what is due is found without a look at the rest.

use std::collections::{BTreeMap, BTreeSet};

/// Keys, each with its deadline.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines<K, T> {
    by_key: BTreeMap<K, T>,
    by_time: BTreeSet<(T, K)>,
}

impl<K, T> Default for Deadlines<K, T> {
    fn default() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone, T: Ord + Copy> Deadlines<K, T> {
    /// Adds a key; one that is there keeps its deadline.
    pub(crate) fn add(&mut self, key: K, at: T) {
        if !self.by_key.contains_key(&key) {
            self.by_time.insert((at, key.clone()));
            self.by_key.insert(key, at);
        }
    }

    /// Takes a key off; says whether it was there.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        let Some((key, at)) = self.by_key.remove_entry(key) else {
            return false;
        };
        self.by_time.remove(&(at, key))
    }

    /// Puts off all that are due.
    pub(crate) fn postpone_due(&mut self, now: T, to: T) {
        let due: Vec<K> = std::iter::from_fn(|| self.take_due(now)).collect();
        due.into_iter().for_each(|key| self.add(key, to));
    }

    /// The first deadline.
    pub(crate) fn next(&self) -> Option<T> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes off one that is due, the earliest first.
    pub(crate) fn take_due(&mut self, now: T) -> Option<K> {
        self.next().filter(|at| *at <= now)?;
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order_and_once() {
        let mut deadlines = Deadlines::default();
        for (key, at) in [("b", 2), ("a", 3), ("c", 1), ("b", 9)] {
            deadlines.add(key, at);
        }
        assert_eq!(deadlines.next(), Some(1));
        assert!(deadlines.remove(&"c") && !deadlines.remove(&"c"));
        assert_eq!(deadlines.take_due(1), None);
        assert_eq!(deadlines.take_due(3), Some("b"));
        assert_eq!((deadlines.take_due(3), deadlines.take_due(3)), (Some("a"), None));
        assert_eq!(deadlines.next(), None);
        deadlines.add("d", 1);
        deadlines.add("e", 5);
        deadlines.postpone_due(2, 7);
        assert_eq!(
            (deadlines.take_due(6), deadlines.take_due(7)),
            (Some("e"), Some("d"))
        );
    }
}
