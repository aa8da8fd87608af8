//! Which Secrets a proxy asks for, and since when: this shows what it should have, and what it waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::demand::Delta;

/// The Secrets of one proxy, over all its streams.
#[derive(Clone, Debug, Default)]
pub struct SecretWants(BTreeMap<Arc<str>, Want>);

#[derive(Clone, Copy, Debug)]
struct Want {
    /// How many times it asks for it.
    count: usize,
    since: Instant,
}

impl SecretWants {
    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.keys()
    }

    /// Since when it has asked for this.
    #[must_use]
    pub fn since(&self, name: &str) -> Option<Instant> {
        self.0.get(name).map(|want| want.since)
    }

    fn add(&mut self, name: &Arc<str>) {
        let since = Instant::now();
        let want = self.0.entry(Arc::clone(name));
        want.or_insert(Want { count: 0, since }).count += 1;
    }

    fn take(&mut self, name: &Arc<str>, count: usize) {
        if let Some(want) = self.0.get_mut(name) {
            want.count = want.count.saturating_sub(count);
            if want.count == 0 {
                self.0.remove(name);
            }
        }
    }
}

/// How many times one stream asks for each Secret.
#[derive(Debug, Default)]
pub(super) struct StreamWants(BTreeMap<Arc<str>, usize>);

impl StreamWants {
    pub(super) fn change(&mut self, delta: &Delta<Arc<str>>, all: &mut SecretWants) {
        for name in &delta.added {
            *self.0.entry(Arc::clone(name)).or_default() += 1;
            all.add(name);
        }
        for name in &delta.removed {
            match self.0.get_mut(name) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) => drop(self.0.remove(name)),
                None => continue,
            }
            all.take(name, 1);
        }
    }

    /// Removes a stream that ends.
    pub(super) fn give_up(&mut self, all: &mut SecretWants) {
        for (name, count) in std::mem::take(&mut self.0) {
            all.take(&name, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(added: &[&str], removed: &[&str]) -> Delta<Arc<str>> {
        let names = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect();
        Delta {
            added: names(added),
            removed: names(removed),
        }
    }

    #[test]
    fn a_name_is_asked_for_from_the_first_stream_that_does_to_the_last() {
        let (mut all, mut first, mut second) = (
            SecretWants::default(),
            StreamWants::default(),
            StreamWants::default(),
        );
        first.change(&delta(&["a", "b"], &[]), &mut all);
        let since = all.since("a");
        second.change(&delta(&["a"], &["b"]), &mut all);
        assert_eq!(all.since("a"), since, "it is asked for since the first");
        first.change(&delta(&[], &["a"]), &mut all);
        let names = |all: &SecretWants| all.names().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&all), ["a", "b"], "nobody gives up for another");
        second.give_up(&mut all);
        assert_eq!(names(&all), ["b"]);
        first.give_up(&mut all);
        assert!(names(&all).is_empty());
    }
}
