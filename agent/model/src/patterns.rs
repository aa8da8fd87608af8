//! Host patterns as keys: `name`, `*.suffix` and `*`, and which of them contain a given one or lie within it.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// What belongs to each pattern. Looking up what contains a pattern costs its labels; what lies within it, the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatternMap<T> {
    /// By the pattern read backwards, so that what ends alike lies together.
    backwards: BTreeMap<String, T>,
}

impl<T> Default for PatternMap<T> {
    fn default() -> Self {
        Self {
            backwards: BTreeMap::new(),
        }
    }
}

fn backwards(pattern: &str) -> String {
    pattern.chars().rev().collect()
}

impl<T> PatternMap<T> {
    /// Whether there is no pattern.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.backwards.is_empty()
    }

    /// What belongs to this very pattern.
    #[must_use]
    pub(crate) fn get(&self, pattern: &str) -> Option<&T> {
        self.backwards.get(&backwards(pattern))
    }

    /// All patterns, and what belongs to them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (String, &T)> {
        self.backwards.iter().map(|(key, value)| (backwards(key), value))
    }

    /// What belongs to the patterns that take all hosts of this one, and more; the narrowest comes first.
    pub(crate) fn containing<'s>(&'s self, pattern: &'s str) -> impl Iterator<Item = &'s T> {
        self.wider(pattern).map(|(_, value)| value)
    }

    /// The same, with the patterns.
    pub(crate) fn wider<'s>(&'s self, pattern: &'s str) -> impl Iterator<Item = (String, &'s T)> {
        let name = pattern.strip_prefix('*').unwrap_or(pattern);
        // A wildcard takes at least one character.
        let suffixes = name.match_indices('.').filter(|(at, _)| *at > 0);
        let wildcards = suffixes.filter_map(|(at, _)| Some(format!("*{}", name.get(at..)?)));
        let any = (pattern != "*").then(|| "*".to_owned());
        wildcards.chain(any).filter_map(|wider| {
            let value = self.get(&wider)?;
            Some((wider, value))
        })
    }

    /// What belongs to the patterns whose hosts this one takes too, itself left out.
    pub(crate) fn within<'s>(&'s self, pattern: &str) -> impl Iterator<Item = (String, &'s T)> + use<'s, T> {
        let end = pattern.strip_prefix('*').map(backwards);
        let own = backwards(pattern);
        let from = end.clone().map_or(Unbounded, Excluded);
        let all = self.backwards.range::<String, _>((from, Unbounded));
        let alike = all.take_while(move |(key, _)| end.as_ref().is_some_and(|end| key.starts_with(end)));
        alike
            .filter(move |(key, _)| **key != own)
            .map(|(key, value)| (backwards(key), value))
    }
}

impl<T: Default> PatternMap<T> {
    /// What belongs to a pattern, made if there is nothing yet.
    pub(crate) fn entry(&mut self, pattern: &str) -> &mut T {
        self.backwards.entry(backwards(pattern)).or_default()
    }

    /// Changes what belongs to a pattern, and lets go of it if nothing is left.
    pub(crate) fn update(&mut self, pattern: &str, change: impl FnOnce(&mut T))
    where
        T: PartialEq,
    {
        let value = self.entry(pattern);
        change(value);
        if *value == T::default() {
            self.backwards.remove(&backwards(pattern));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealgate_core::host;

    const ALL: [&str; 10] = [
        "*",
        "*.com",
        "*.a.com",
        "a.com",
        "b.a.com",
        "*.b.a.com",
        "*.net",
        "xa.com",
        "com",
        "*.xa.com",
    ];

    #[test]
    fn containing_and_within_are_what_hosts_say_pair_by_pair() {
        let mut patterns = PatternMap::<Option<&str>>::default();
        for pattern in ALL {
            *patterns.entry(pattern) = Some(pattern);
        }
        for own in ALL {
            let narrower = |other: &&str| *other != own && host::intersection(own, other) == Some(*other);
            let wider = |other: &&str| *other != own && host::intersection(own, other) == Some(own);
            let mut within: Vec<_> = patterns.within(own).filter_map(|(_, value)| *value).collect();
            let mut containing: Vec<_> = patterns.containing(own).flatten().copied().collect();
            within.sort_unstable();
            containing.sort_unstable();
            let sorted = |keep: &dyn Fn(&&str) -> bool| {
                let mut kept: Vec<_> = ALL.into_iter().filter(|other| keep(other)).collect();
                kept.sort_unstable();
                kept
            };
            assert_eq!(within, sorted(&narrower), "within {own}");
            assert_eq!(containing, sorted(&wider), "containing {own}");
        }
        patterns.update("a.com", |value| *value = None);
        assert!(patterns.get("a.com").is_none() && patterns.get("*.a.com").is_some());
    }
}
