//! Names that filter chains ask for one by one (SNI), by pattern, each with the Secret that answers it. Persistent, as
//! the snapshot is.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

/// The metadata by which a stream says which filter chain it asks for (`PORT/CHAIN`).
pub const CHAIN_HEADER: &str = "sealgate-chain";
/// The name that is asked for when a client says none.
pub const NO_SNI: &str = "no-sni";

/// Of one chain: the Secret of each pattern (`name`, `*.suffix`, `*`).
type ChainPatterns = OrdMap<Arc<str>, Arc<str>>;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct OnDemandNames(OrdMap<Arc<str>, ChainPatterns>);

impl OnDemandNames {
    /// The pattern that has a name, and its Secret: the name itself, then the longest wildcard, then `*`.
    #[must_use]
    pub fn find(&self, chain: &str, name: &str) -> Option<(&Arc<str>, &Arc<str>)> {
        let patterns = self.0.get(chain)?;
        // A wildcard takes at least one character.
        let dots = name.match_indices('.').filter(|(at, _)| *at > 0);
        let wildcards = dots.filter_map(|(at, _)| Some(format!("*{}", name.get(at..)?)));
        let exact = patterns.get_key_value(name).filter(|_| !name.starts_with('*'));
        exact.or_else(|| {
            let mut wider = wildcards.chain(["*".to_owned()]);
            wider.find_map(|pattern| patterns.get_key_value(pattern.as_str()))
        })
    }

    /// How many patterns a chain has.
    #[must_use]
    pub fn count(&self, chain: &str) -> usize {
        self.0.get(chain).map_or(0, OrdMap::len)
    }

    /// The patterns, each with its chain, that differ between `before` and this.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> BTreeSet<(Arc<str>, Arc<str>)> {
        let empty = ChainPatterns::new();
        let mut changed = BTreeSet::new();
        for item in before.0.diff(&self.0) {
            let (chain, old, new) = match item {
                DiffItem::Add(chain, new) => (chain, &empty, new),
                DiffItem::Remove(chain, old) => (chain, old, &empty),
                DiffItem::Update {
                    old: (_, old),
                    new: (chain, new),
                } => (chain, old, new),
            };
            let patterns = old.diff(new).map(|item| match item {
                DiffItem::Add(pattern, _) | DiffItem::Remove(pattern, _) => Arc::clone(pattern),
                DiffItem::Update {
                    new: (pattern, _), ..
                } => Arc::clone(pattern),
            });
            changed.extend(patterns.map(|pattern| (Arc::clone(chain), pattern)));
        }
        changed
    }

    /// From now on a pattern has this Secret, or none; says whether that is another one.
    pub(super) fn set(&mut self, chain: &Arc<str>, pattern: &Arc<str>, secret: Option<Arc<str>>) -> bool {
        let mut patterns = self.0.get(chain).cloned().unwrap_or_default();
        if patterns.get(pattern) == secret.as_ref() {
            return false;
        }
        match secret {
            Some(secret) => drop(patterns.insert(Arc::clone(pattern), secret)),
            None => drop(patterns.remove(pattern)),
        }
        if patterns.is_empty() {
            self.0.remove(chain);
        } else {
            self.0.insert(Arc::clone(chain), patterns);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[(&str, &str)]) -> OnDemandNames {
        let mut names = OnDemandNames::default();
        for (pattern, secret) in all {
            names.set(&"443/a".into(), &(*pattern).into(), Some((*secret).into()));
        }
        names
    }

    #[test]
    fn the_name_itself_comes_before_the_longest_wildcard_and_that_before_everything() {
        let all = [
            ("a.test", "exact"),
            ("*.test", "short"),
            ("*.b.test", "long"),
            ("*", "any"),
        ];
        let all = names(&all);
        for (name, secret) in [
            ("a.test", "exact"),
            ("b.test", "short"),
            ("c.b.test", "long"),
            ("d.c.b.test", "long"),
            (".test", "any"),
            ("*.test", "short"),
            ("test", "any"),
            ("other", "any"),
        ] {
            let found = all.find("443/a", name).map(|(_, secret)| &**secret);
            assert_eq!(found, Some(secret), "{name}");
        }
        assert_eq!(all.find("443/b", "a.test"), None);
        assert_eq!(names(&[("*.test", "short")]).find("443/a", "test"), None);
    }

    #[test]
    fn what_differs_is_known_by_chain_and_pattern() {
        let before = names(&[("a", "1"), ("b", "1")]);
        let mut now = before.clone();
        assert!(!now.set(&"443/a".into(), &"a".into(), Some("1".into())));
        assert!(now.set(&"443/a".into(), &"a".into(), Some("2".into())));
        assert!(now.set(&"443/a".into(), &"b".into(), None));
        assert!(now.set(&"443/b".into(), &"c".into(), Some("1".into())));
        let changed: Vec<_> = now.changed_since(&before).into_iter().collect();
        let text: Vec<_> = changed
            .iter()
            .map(|(chain, pattern)| format!("{chain} {pattern}"))
            .collect();
        assert_eq!(text, ["443/a a", "443/a b", "443/b c"]);
        assert_eq!(now.count("443/a"), 1);
    }
}
