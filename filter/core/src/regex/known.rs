//! Results of compiling patterns: the same pattern may be in many rules, and each rule is read more than once.

use std::cell::RefCell;
use std::collections::HashMap;

use super::{Automaton, BadRegex, Digest, REGEX_BYTES, SET_BYTES, digest};

/// With more than this, everything is forgotten and computed again.
const COUNT: usize = 8_192;

#[derive(Debug, Default)]
struct Remembered {
    /// The compiled size of a pattern, in bytes.
    patterns: HashMap<Digest, Result<usize, BadRegex>>,
    /// Whether patterns can be tried together.
    sets: HashMap<Digest, bool>,
}

thread_local! {
    static KNOWN: RefCell<Remembered> = RefCell::default();
}

/// The compiled size of a pattern, in bytes.
pub(crate) fn size(pattern: &str) -> Result<usize, BadRegex> {
    let find = || Automaton::of(&[pattern], REGEX_BYTES).map(|found| found.dfa.get_nfa().memory_usage());
    KNOWN.with_borrow_mut(|known| remembered(&mut known.patterns, digest([pattern]), find))
}

/// Whether patterns can be tried together: not if that takes too much memory.
pub(crate) fn fit_together(patterns: &[&str]) -> bool {
    let find = || Automaton::of(patterns, SET_BYTES).is_ok();
    KNOWN.with_borrow_mut(|known| remembered(&mut known.sets, digest(patterns.iter().copied()), find))
}

fn remembered<V: Clone>(known: &mut HashMap<Digest, V>, key: Digest, find: impl FnOnce() -> V) -> V {
    if known.len() >= COUNT {
        known.clear();
    }
    known.entry(key).or_insert_with(find).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_found() {
        for pattern in ["a", "(", "a{1000}", "(", "a"] {
            let found =
                Automaton::of(&[pattern], REGEX_BYTES).map(|found| found.dfa.get_nfa().memory_usage());
            assert_eq!(size(pattern), found, "{pattern}");
        }
        assert!(size("a{1000}").unwrap() > size("a").unwrap());
        let mut known = HashMap::new();
        for at in 0..=COUNT {
            remembered(&mut known, digest([at.to_string().as_str()]), || at);
        }
        assert!(known.len() <= COUNT);
        assert_eq!(remembered(&mut known, digest(["0"]), || 7), 7, "it was forgotten");
        assert_eq!(remembered(&mut known, digest(["0"]), || 8), 7);
    }
}
