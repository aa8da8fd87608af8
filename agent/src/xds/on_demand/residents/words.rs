//! Proxies' acknowledgements of Secrets that they have under one or several names: the slowest name counts.

use std::collections::HashMap;
use std::sync::Arc;

/// A proxy's acknowledgement of the last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// None yet.
    Waiting,
    /// Accepted.
    Taken,
    /// Rejected.
    Refused,
}

#[derive(Debug, Default)]
struct Count {
    names: usize,
    waiting: usize,
    refused: usize,
    /// Whether some of them had another version before, so that this one was pushed.
    pushed: bool,
}

impl Count {
    fn of(&mut self, word: Word) -> Option<&mut usize> {
        match word {
            Word::Waiting => Some(&mut self.waiting),
            Word::Refused => Some(&mut self.refused),
            Word::Taken => None,
        }
    }

    fn replace(&mut self, before: Word, now: Word) {
        if let Some(count) = self.of(before) {
            *count -= 1;
        }
        if let Some(count) = self.of(now) {
            *count += 1;
        }
    }
}

/// By proxy and Secret. See the module.
#[derive(Debug, Default)]
pub(super) struct Words(HashMap<(Arc<str>, Arc<str>), Count>);

impl Words {
    /// Adds a name with this Secret.
    pub(super) fn join(&mut self, node: &Arc<str>, secret: &Arc<str>, word: Word) {
        let key = (Arc::clone(node), Arc::clone(secret));
        let count = self.0.entry(key).or_default();
        count.names += 1;
        if let Some(own) = count.of(word) {
            *own += 1;
        }
    }

    /// Removes one; returns whether it was the last.
    pub(super) fn leave(&mut self, node: &Arc<str>, secret: &Arc<str>, word: Word) -> bool {
        let key = (Arc::clone(node), Arc::clone(secret));
        let Some(count) = self.0.get_mut(&key) else {
            return false;
        };
        if let Some(own) = count.of(word) {
            *own -= 1;
        }
        count.names -= 1;
        let is_last = count.names == 0;
        if is_last {
            self.0.remove(&key);
        }
        is_last
    }

    /// Notes an answer to a name; `pushed` if it had another version before.
    pub(super) fn wait(&mut self, node: &Arc<str>, secret: &Arc<str>, before: Word, pushed: bool) {
        if let Some(count) = self.0.get_mut(&(Arc::clone(node), Arc::clone(secret))) {
            count.replace(before, Word::Waiting);
            count.pushed |= pushed;
        }
    }

    /// Takes a proxy's acknowledgement of a name. If all names are now accepted, returns whether the version was
    /// pushed.
    pub(super) fn say(
        &mut self,
        node: &Arc<str>,
        secret: &Arc<str>,
        before: Word,
        now: Word,
    ) -> Option<bool> {
        let count = self.0.get_mut(&(Arc::clone(node), Arc::clone(secret)))?;
        count.replace(before, now);
        (count.waiting == 0 && count.refused == 0).then(|| std::mem::take(&mut count.pushed))
    }
}
