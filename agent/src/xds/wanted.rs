//! Which Secrets proxies ask for, over all their streams. Names are all that flows back from here: a source that does
//! not read everything reads these.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

/// The snapshot's names, each with the number of streams that ask for it.
pub type Names = BTreeMap<Arc<str>, usize>;

/// The registry; clones share it.
#[derive(Clone, Debug)]
pub struct Wanted(Arc<watch::Sender<Names>>);

impl Default for Wanted {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Names::new())))
    }
}

impl Wanted {
    /// Follows the names.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Names> {
        self.0.subscribe()
    }

    /// What one stream asks for, until the returned value is dropped.
    pub(crate) fn share(&self) -> Share {
        Share {
            wanted: self.clone(),
            names: BTreeSet::new(),
            revision: 0,
        }
    }
}

/// What one stream asks for.
#[derive(Debug)]
pub(crate) struct Share {
    wanted: Wanted,
    names: BTreeSet<Arc<str>>,
    /// Of the stream's subscription, when it was last looked at.
    pub(crate) revision: u64,
}

impl Share {
    /// Takes the names that the stream asks for now.
    pub(crate) fn set(&mut self, names: BTreeSet<Arc<str>>) {
        self.wanted.0.send_if_modified(|all| {
            let mut moved = false;
            for name in names.difference(&self.names) {
                let count = all.entry(Arc::clone(name)).or_default();
                *count += 1;
                moved |= *count == 1;
            }
            for name in self.names.difference(&names) {
                let count = all.get(name).copied().unwrap_or_default();
                if count > 1 {
                    all.insert(Arc::clone(name), count - 1);
                } else {
                    moved |= all.remove(name).is_some();
                }
            }
            moved
        });
        self.names = names;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(BTreeSet::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn a_name_is_wanted_for_as_long_as_some_stream_asks_for_it() {
        let wanted = Wanted::default();
        let mut follow = wanted.follow();
        let (mut first, mut second) = (wanted.share(), wanted.share());
        first.set(names(&["a", "b"]));
        assert!(follow.has_changed().unwrap());
        follow.mark_unchanged();
        second.set(names(&["b"]));
        drop(first);
        assert_eq!(
            follow
                .borrow_and_update()
                .keys()
                .map(AsRef::as_ref)
                .collect::<Vec<&str>>(),
            ["b"]
        );
        second.set(names(&["b"]));
        assert!(!follow.has_changed().unwrap());
        second.set(names(&[]));
        assert!(follow.borrow_and_update().is_empty());
    }
}
