//! The regexes of one worker: compiled when a request first needs them, and cached by content, so that equal patterns
//! are shared by all hosts and survive updates of the table.

use std::sync::{Mutex, MutexGuard, PoisonError};

use regex_automata::PatternSet;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use sha2::Digest as _;

use super::lru::{Bounds, Lru, Size};
use super::replacement::Replacement;
use super::work::Work;
use super::{Automaton, REGEX_BYTES, SET_BYTES, search};
use crate::table::Corrupt;
use crate::undecided::Undecided;

/// What a worker keeps. Few patterns take more than a few ten kilobytes, including the states that requests needed.
const PATTERNS: Bounds = Bounds {
    count: 2_048,
    bytes: 16 << 20,
};
const SETS: Bounds = Bounds {
    count: 128,
    bytes: 16 << 20,
};
const SEARCHES: Bounds = Bounds {
    count: 512,
    bytes: 8 << 20,
};

/// Identifies a list of patterns by its content: from SHA-256, so that nobody can write patterns that are mistaken for
/// another list.
pub(crate) type Digest = [u8; 16];

/// The digest of a list of patterns.
pub(crate) fn digest<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Digest {
    let mut hash = sha2::Sha256::new();
    for pattern in patterns {
        hash.update((pattern.len() as u64).to_le_bytes());
        hash.update(pattern);
    }
    let mut digest = Digest::default();
    digest
        .iter_mut()
        .zip(hash.finalize())
        .for_each(|(to, from)| *to = from);
    digest
}

/// Makes a value if there is still work left for it.
fn made<V: Size>(work: &Work, make: impl FnOnce() -> Result<V, Undecided>) -> Result<V, Undecided> {
    work.check()?;
    let value = make()?;
    work.made(value.bytes());
    Ok(value)
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Regexes(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    patterns: Lru<Box<str>, Automaton>,
    sets: Lru<SetName, Automaton>,
    searches: Lru<Box<str>, PikeVM>,
    work: Work,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SetName(Digest);

impl std::borrow::Borrow<Digest> for SetName {
    fn borrow(&self) -> &Digest {
        &self.0
    }
}

impl From<&Digest> for SetName {
    fn from(digest: &Digest) -> Self {
        Self(*digest)
    }
}

impl Default for Regexes {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            patterns: Lru::new(PATTERNS),
            sets: Lru::new(SETS),
            searches: Lru::new(SEARCHES),
            work: Work::default(),
        }))
    }
}

impl Regexes {
    /// Starts counting the cost of a new request.
    pub(crate) fn renew(&self) {
        self.kept().work.renew();
    }

    /// Whether a pattern matches the whole value.
    pub(crate) fn is_match(&self, pattern: &str, value: &[u8]) -> Result<bool, Undecided> {
        let Kept { patterns, work, .. } = &mut *self.kept();
        let make = || made(work, || Ok(Automaton::of(&[pattern], REGEX_BYTES)?));
        patterns.with(pattern, make, |automaton| automaton.is_match(value, work))?
    }

    /// The places of the patterns in a list that match the whole value, ascending, in one pass over it. The list itself
    /// is only requested when its automaton must be made.
    pub(crate) fn matches<'p>(
        &self,
        name: &Digest,
        patterns: impl FnOnce() -> Result<Vec<&'p str>, Corrupt>,
        value: &[u8],
    ) -> Result<PatternSet, Undecided> {
        let Kept { sets, work, .. } = &mut *self.kept();
        let make = || made(work, || Ok(Automaton::of(&patterns()?, SET_BYTES)?));
        sets.with(name, make, |automaton| automaton.matches(value, work))?
    }

    /// Replaces every match of a pattern.
    pub(crate) fn replace(
        &self,
        pattern: &str,
        replacement: &Replacement<'_>,
        value: &[u8],
    ) -> Result<Vec<u8>, Undecided> {
        let Kept { searches, work, .. } = &mut *self.kept();
        let make = || made(work, || Ok(search(pattern)?));
        searches.with(pattern, make, |machine| replacement.apply(machine, value, work))?
    }

    /// The work of the last request, and its limit.
    #[cfg(test)]
    pub(crate) fn spent(&self) -> (usize, usize) {
        (self.kept().work.spent(), super::work::WORK_PER_REQUEST)
    }

    /// The memory of all of them, and its limit, in bytes.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> (usize, usize) {
        let kept = self.kept();
        let bytes = kept.patterns.bytes() + kept.sets.bytes() + kept.searches.bytes();
        (bytes, PATTERNS.bytes + SETS.bytes + SEARCHES.bytes)
    }

    /// A panic within the lock leaves nothing half done: at worst, a pattern is compiled again.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(regexes: &Regexes) -> (usize, usize, usize) {
        let kept = regexes.kept();
        (kept.patterns.len(), kept.sets.len(), kept.searches.len())
    }

    #[test]
    fn equal_patterns_are_one_and_are_made_when_they_are_needed() {
        let regexes = Regexes::default();
        assert_eq!(kept(&regexes), (0, 0, 0));
        for value in ["a", "b", "ab"] {
            assert_eq!(regexes.is_match("a|b", value.as_bytes()), Ok(value != "ab"));
        }
        assert!(regexes.is_match("(", b"").is_err());
        assert_eq!(regexes.replace("b", &Replacement("c"), b"ab"), Ok(b"ac".to_vec()));
        let patterns = ["a", "b", "a.*"];
        let name = digest(patterns);
        for _ in 0..2 {
            let found = regexes.matches(&name, || Ok(patterns.to_vec()), b"a").unwrap();
            assert_eq!(found.iter().map(|at| at.as_usize()).collect::<Vec<_>>(), [0, 2]);
        }
        assert_eq!(kept(&regexes), (1, 1, 1));
    }

    #[test]
    fn a_worker_keeps_so_many_and_so_much_of_them() {
        let regexes = Regexes::default();
        for at in 0..PATTERNS.count + 100 {
            regexes.renew();
            assert_eq!(regexes.is_match(&format!("/{at}"), b"/7"), Ok(at == 7));
        }
        assert_eq!(kept(&regexes).0, PATTERNS.count);
        for at in 0..150 {
            regexes.renew();
            let large = format!("(?:[ab]{{100}}[^/]{{500}}){{4}}{at}");
            assert_eq!(regexes.is_match(&large, b"/"), Ok(false));
        }
        let one = Automaton::of(&["(?:[ab]{100}[^/]{500}){4}0"], REGEX_BYTES)
            .unwrap()
            .bytes();
        assert!(one * 150 > PATTERNS.bytes, "the test is to fill it: {one}");
        let kept = regexes.kept();
        assert!(kept.patterns.bytes() <= PATTERNS.bytes && kept.patterns.len() < PATTERNS.count);
    }

    #[test]
    fn lists_are_told_apart_by_where_their_patterns_end() {
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
        assert_ne!(digest(["a", "b"]), digest(["b", "a"]));
    }
}
