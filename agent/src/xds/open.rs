//! Responses that a proxy has neither accepted nor rejected yet. A proxy that never answers costs no more than the
//! limits here.

use std::collections::BTreeMap;

use super::Sent;

/// The maximum number of remembered responses.
const RESPONSES: usize = 64;
/// The maximum number of names in all of them together, except the last.
const NAMES: usize = 200_000;

/// The contents of open responses, by nonce.
#[derive(Debug, Default)]
pub(crate) struct Open {
    responses: BTreeMap<u64, Vec<Sent>>,
    names: usize,
}

impl Open {
    /// Whether everything has been accepted or rejected.
    pub(crate) fn is_empty(&self) -> bool {
        self.responses.is_empty()
    }

    /// Remembers the newest response, and forgets the oldest ones if necessary.
    pub(crate) fn insert(&mut self, nonce: u64, told: Vec<Sent>) {
        self.names += told.len();
        self.responses.insert(nonce, told);
        while self.responses.len() > RESPONSES || (self.names > NAMES && self.responses.len() > 1) {
            self.forget_first();
        }
    }

    /// Removes and returns the response of this nonce, if it is open.
    pub(crate) fn take(&mut self, nonce: &str) -> Option<Vec<Sent>> {
        let told = self.responses.remove(&nonce.parse().ok()?)?;
        self.names -= told.len();
        Some(told)
    }

    /// Removes and returns the response of this nonce, and forgets those before it: if a proxy may answer several
    /// responses at once, the answer is about the last.
    pub(crate) fn take_last(&mut self, nonce: &str) -> Option<Vec<Sent>> {
        let told = self.take(nonce)?;
        let nonce = nonce.parse().unwrap_or(0);
        while self.responses.keys().next().is_some_and(|first| *first < nonce) {
            self.forget_first();
        }
        Some(told)
    }

    fn forget_first(&mut self) {
        if let Some((_, told)) = self.responses.pop_first() {
            self.names -= told.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(count: usize) -> Vec<Sent> {
        vec![("a".into(), None); count]
    }

    #[test]
    fn who_never_answers_is_remembered_within_bounds() {
        let mut open = Open::default();
        for nonce in 1..=1000 {
            open.insert(nonce, told(10));
        }
        assert_eq!((open.responses.len(), open.names), (RESPONSES, RESPONSES * 10));
        open.insert(1001, told(NAMES + 1));
        assert_eq!((open.responses.len(), open.names), (1, NAMES + 1));
        assert!(open.take("1000").is_none() && open.take("no number").is_none());
        assert!(open.take("1001").is_some() && open.is_empty() && open.names == 0);
    }

    #[test]
    fn one_word_may_be_for_several_responses() {
        let mut open = Open::default();
        (1..=3).for_each(|nonce| open.insert(nonce, told(nonce as usize)));
        assert_eq!(open.take_last("2").map(|told| told.len()), Some(2));
        assert!(open.take("1").is_none());
        assert_eq!(open.take("3").map(|told| told.len()), Some(3));
    }
}
