//! A sorted set of a few values. A `BTreeSet` of one value takes the room of eleven, and nearly everything here has one. What
//! is no set, and has as few values, is filled in the same way.

use std::borrow::Borrow;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Few<T>(Vec<T>);

/// Puts a value into a list. A few take no more room than they need; of many each would be copied again for every one that
/// comes.
pub(crate) fn insert<T>(list: &mut Vec<T>, at: usize, value: T) {
    if list.len() < 4 {
        list.reserve_exact(1);
    }
    list.insert(at, value);
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Few<T> {
    /// Adds a value; says whether it is new.
    pub fn insert(&mut self, value: T) -> bool {
        let Err(at) = self.0.binary_search(&value) else {
            return false;
        };
        insert(&mut self.0, at, value);
        true
    }

    /// Takes a value out; says whether it was there.
    pub fn remove(&mut self, value: &T) -> bool {
        let found = self.0.binary_search(value);
        found.is_ok_and(|at| {
            self.0.remove(at);
            true
        })
    }

    /// Whether a value is there.
    pub fn contains<Q: Ord + ?Sized>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.binary_search_by(|own| own.borrow().cmp(value)).is_ok()
    }
}

impl<T> Few<T> {
    /// In order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'f, T> IntoIterator for &'f Few<T> {
    type Item = &'f T;
    type IntoIter = std::slice::Iter<'f, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort();
        values.dedup();
        values.shrink_to_fit();
        Self(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_sorted_set() {
        let mut few = Few::default();
        assert!(few.insert(2) && few.insert(1) && !few.insert(2) && few.insert(3));
        assert_eq!(few.iter().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert!(few.remove(&2) && !few.remove(&2) && few.contains(&3) && !few.contains(&2));
        assert_eq!(few, [3, 1, 1].into_iter().collect());
    }
}
