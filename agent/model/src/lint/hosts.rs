//! Host patterns, and whether one of them has anything in common with another.

use std::collections::BTreeSet;

/// See the module.
#[derive(Debug, Default)]
pub struct HostSet {
    /// Read from behind, so that what ends alike lies together.
    backwards: BTreeSet<String>,
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

impl HostSet {
    /// Adds `name`, `*.suffix` or `*`, lower-case.
    pub fn insert(&mut self, pattern: &str) {
        self.backwards.insert(backwards(pattern));
    }

    /// Whether some host is taken both by `pattern` and by one of the set.
    pub fn intersects(&self, pattern: &str) -> bool {
        self.has(pattern) || self.has("*") || self.has_wider(pattern) || self.has_narrower(pattern)
    }

    fn has(&self, pattern: &str) -> bool {
        self.backwards.contains(&backwards(pattern))
    }

    fn has_wider(&self, pattern: &str) -> bool {
        let name = pattern.trim_start_matches('*');
        // A wildcard takes at least one character, which `*` stands for.
        let from = usize::from(name.len() == pattern.len());
        let dots = name.match_indices('.').filter(|(at, _)| *at >= from);
        dots.filter_map(|(at, _)| name.get(at..))
            .any(|suffix| self.has(&format!("*{suffix}")))
    }

    fn has_narrower(&self, pattern: &str) -> bool {
        let Some(suffix) = pattern.strip_prefix('*') else {
            return false;
        };
        let end = backwards(suffix);
        let mut ends_alike = self
            .backwards
            .range(end.clone()..)
            .take_while(|own| own.starts_with(&end));
        ends_alike.any(|own| own.len() > end.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealgate_core::host;

    #[test]
    fn it_agrees_with_the_intersection_of_pairs() {
        let patterns = [
            "*",
            "*.com",
            "*.a.com",
            "a.com",
            "b.a.com",
            "*.b.a.com",
            "*.net",
            "xa.com",
            "com",
        ];
        for own in patterns {
            let mut set = HostSet::default();
            set.insert(own);
            for other in patterns {
                let shared = host::intersection(own, other).is_some();
                assert_eq!(set.intersects(other), shared, "{own} {other}");
            }
        }
        assert!(!HostSet::default().intersects("*"));
    }
}
