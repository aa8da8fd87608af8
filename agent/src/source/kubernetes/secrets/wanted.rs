//! Which Secrets are wanted: those that the wanted credentials may come from and, for a while, those that are no longer
//! wanted.

use std::collections::BTreeMap;

use imbl::OrdSet;
use sealgate_model::{BUNDLE_SUFFIX, CredentialName};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::deadlines::Deadlines;
use crate::demand::Delta;

/// The names, for the watches to follow.
pub(super) type SecretNames = OrdSet<String>;

/// See the module.
#[derive(Debug)]
pub(super) struct WantedSecrets {
    /// How many credentials may come from each.
    asked: BTreeMap<String, usize>,
    /// Those that no credential may come from any more, and until when they are still followed.
    leaving: Deadlines<String, Instant>,
    names: SecretNames,
    told: watch::Sender<SecretNames>,
}

impl Default for WantedSecrets {
    fn default() -> Self {
        Self {
            asked: BTreeMap::new(),
            leaving: Deadlines::default(),
            names: SecretNames::new(),
            told: watch::Sender::new(SecretNames::new()),
        }
    }
}

impl WantedSecrets {
    /// Takes changes of the wanted credentials, and returns the newly wanted Secrets. Ignores other namespaces. Those
    /// no longer wanted are followed until `until`.
    pub(super) fn change(
        &mut self,
        delta: &Delta<CredentialName>,
        namespace: &str,
        until: Instant,
    ) -> Vec<String> {
        let own = |credential: &&CredentialName| *credential.namespace == *namespace;
        let mut new = Vec::new();
        for name in delta.added.iter().filter(own).flat_map(sources_of) {
            let count = self.asked.entry(name.to_owned()).or_default();
            *count += 1;
            if *count == 1 && !self.leaving.remove(&name.to_owned()) {
                self.names.insert(name.to_owned());
                new.push(name.to_owned());
            }
        }
        for name in delta.removed.iter().filter(own).flat_map(sources_of) {
            match self.asked.get_mut(name) {
                Some(count) if *count > 1 => *count -= 1,
                Some(_) => {
                    self.asked.remove(name);
                    self.leaving.add(name.to_owned(), until);
                }
                None => {}
            }
        }
        if !new.is_empty() {
            self.told.send_replace(self.names.clone());
        }
        new
    }

    /// Removes those that have been followed long enough.
    pub(super) fn let_go(&mut self, now: Instant) -> Vec<String> {
        let mut due = Vec::new();
        while let Some(name) = self.leaving.take_due(now) {
            self.names.remove(&name);
            due.push(name);
        }
        self.told.send_replace(self.names.clone());
        due
    }

    /// When to do that.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.leaving.next()
    }

    /// All wanted Secrets.
    pub(super) fn names(&self) -> &SecretNames {
        &self.names
    }

    /// A receiver that follows them.
    pub(super) fn follow(&self) -> watch::Receiver<SecretNames> {
        self.told.subscribe()
    }
}

/// The Secrets that a credential may come from.
pub(in crate::source::kubernetes) fn sources_of(credential: &CredentialName) -> impl Iterator<Item = &str> {
    let base = credential.name.strip_suffix(BUNDLE_SUFFIX);
    [Some(&*credential.name), base].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn delta(added: &[&str], removed: &[&str]) -> Delta<CredentialName> {
        let names = |names: &[&str]| {
            let split = names.iter().filter_map(|name| name.split_once('/'));
            split
                .map(|(namespace, name)| CredentialName::new(namespace, name))
                .collect()
        };
        Delta {
            added: names(added),
            removed: names(removed),
        }
    }

    fn all(wanted: &WantedSecrets) -> Vec<&str> {
        wanted.names().iter().map(String::as_str).collect()
    }

    #[test]
    fn a_bundle_may_come_from_two_secrets_and_nothing_from_elsewhere() {
        let mut wanted = WantedSecrets::default();
        let new = wanted.change(
            &delta(&["gw/a", "gw/b-cacert", "other/c"], &[]),
            "gw",
            Instant::now(),
        );
        assert_eq!(new, ["a", "b-cacert", "b"]);
        assert_eq!(all(&wanted), ["a", "b", "b-cacert"]);
        // The pair also comes from `b`, which is wanted as long as either is.
        let later = Instant::now() + Duration::from_secs(1);
        assert!(
            wanted
                .change(&delta(&["gw/b"], &["gw/b-cacert"]), "gw", later)
                .is_empty()
        );
        assert_eq!(wanted.let_go(later), ["b-cacert"]);
        wanted.change(&delta(&[], &["gw/b"]), "gw", later);
        assert_eq!(wanted.let_go(later), ["b"]);
        assert_eq!(all(&wanted), ["a"]);
    }

    #[test]
    fn what_comes_back_in_time_never_left() {
        let (mut wanted, now) = (WantedSecrets::default(), Instant::now());
        let mut follow = wanted.follow();
        wanted.change(&delta(&["gw/a"], &[]), "gw", now);
        follow.mark_unchanged();
        wanted.change(&delta(&[], &["gw/a"]), "gw", now + Duration::from_secs(1));
        assert_eq!(all(&wanted), ["a"]);
        assert!(wanted.change(&delta(&["gw/a"], &[]), "gw", now).is_empty());
        assert_eq!(wanted.next_deadline(), None);
        assert!(!follow.has_changed().unwrap_or(true));
    }
}
