//! Regexes as in Envoy's RE2: for bytes, not Unicode, and linear in the value. A lazy automaton decides whether a whole
//! value matches: of all engines, it is the one that is both fast and small, and it can match many patterns at once.

mod cache;
mod known;
mod lru;
mod replacement;
mod work;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, Compiler, NFA, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind, PatternID, PatternSet};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

pub(crate) use cache::{Digest, Regexes, digest};
pub(crate) use known::{fit_together, size};
pub(crate) use replacement::Replacement;

use crate::undecided::Undecided;
use lru::Size;
use work::Work;

/// The maximum memory of a compiled pattern; larger ones are rejected when the table is made.
const REGEX_BYTES: usize = 1 << 20;
/// The maximum memory of many patterns at once.
const SET_BYTES: usize = 8 << 20;

/// The maximum number of groups in a pattern for replacements; a template can name nine.
const GROUPS: usize = 64;
/// The maximum memory for its groups while it runs.
const SEARCH_BYTES: usize = 4 << 20;

/// A pattern that cannot be compiled, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRegex(pub(crate) String);

impl From<BadRegex> for Undecided {
    /// Every pattern of a table was compiled when the table was made.
    fn from(_: BadRegex) -> Self {
        Self::Corrupt
    }
}

/// Checks whether a pattern is valid.
pub(crate) fn check(pattern: &str) -> Result<(), BadRegex> {
    known::size(pattern).map(drop)
}

/// The literal prefix of all values that the pattern matches.
pub(crate) fn literal_prefix(pattern: &str) -> Vec<u8> {
    let literals = parse(pattern).map(|hir| Extractor::new().extract(&hir));
    let common = literals
        .ok()
        .and_then(|set| set.longest_common_prefix().map(<[u8]>::to_vec));
    common.unwrap_or_default()
}

/// Patterns that must match the whole value. States are built as values need them, and forgotten when there are too
/// many.
#[derive(Debug)]
struct Automaton {
    dfa: DFA,
    cache: Cache,
    /// The work for making a state that its size does not show: the parts of the pattern that match no byte.
    hidden: usize,
    /// The largest state so far, in bytes.
    largest: usize,
}

impl Automaton {
    fn of(patterns: &[&str], bytes: usize) -> Result<Self, BadRegex> {
        let patterns: Vec<Hir> = patterns
            .iter()
            .map(|text| whole(text))
            .collect::<Result<_, _>>()?;
        let nfa = compile(&patterns, bytes, WhichCaptures::None)?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(bytes)
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa);
        let dfa = dfa.map_err(|error| BadRegex(error.to_string()))?;
        let cache = dfa.create_cache();
        let hidden = dfa.get_nfa().states().iter().filter(|state| state.is_epsilon());
        let hidden = hidden.count();
        Ok(Self {
            dfa,
            cache,
            hidden,
            largest: 0,
        })
    }

    fn is_match(&mut self, value: &[u8], work: &Work) -> Result<bool, Undecided> {
        Ok(self.end(value, work)?.is_match())
    }

    /// The places of patterns that match, ascending.
    fn matches(&mut self, value: &[u8], work: &Work) -> Result<PatternSet, Undecided> {
        let mut found = PatternSet::new(self.dfa.pattern_len());
        let end = self.end(value, work)?;
        if end.is_match() {
            (0..self.dfa.match_len(&self.cache, end)).for_each(|at| {
                found.insert(self.dfa.match_pattern(&self.cache, end, at));
            });
        }
        Ok(found)
    }

    /// The state after the whole value: the patterns match there or not at all, because they are anchored at its end.
    fn end(&mut self, value: &[u8], work: &Work) -> Result<LazyStateID, Undecided> {
        work.spend(value.len())?;
        let input = Input::new(value).anchored(Anchored::Yes);
        let mut state = self.make(work, false, |dfa, cache| {
            dfa.start_state_forward(cache, &input).ok()
        })?;
        for byte in value {
            let known = if state.is_tagged() {
                None
            } else {
                let next = self.dfa.next_state_untagged(&self.cache, state, *byte);
                (!next.is_unknown()).then_some(next)
            };
            state = match known {
                Some(next) => next,
                None => self.make(work, true, |dfa, cache| dfa.next_state(cache, state, *byte).ok())?,
            };
            if state.is_dead() {
                return Ok(state);
            }
        }
        self.make(work, false, |dfa, cache| dfa.next_eoi_state(cache, state).ok())
    }

    /// A step that may have to build a state. It never fails: nothing here is configured to give up.
    fn make(
        &mut self,
        work: &Work,
        at_a_byte: bool,
        step: impl FnOnce(&DFA, &mut Cache) -> Option<LazyStateID>,
    ) -> Result<LazyStateID, Undecided> {
        let before = self.cache.memory_usage();
        let state = step(&self.dfa, &mut self.cache).ok_or(Undecided::TooExpensive)?;
        let grown = self.cache.memory_usage().saturating_sub(before);
        self.largest = self.largest.max(grown);
        // Without growth at a byte, the state may have been built before, or after all others were forgotten. The first
        // and the last one exist already, or are built once.
        let is_new = at_a_byte || grown > 0;
        work.spend(if is_new { self.largest + self.hidden } else { 1 })?;
        Ok(state)
    }
}

impl Size for Automaton {
    fn bytes(&self) -> usize {
        self.dfa.memory_usage() + self.dfa.get_nfa().memory_usage() + self.cache.memory_usage()
    }
}

impl Size for PikeVM {
    fn bytes(&self) -> usize {
        self.get_nfa().memory_usage()
    }
}

/// A pattern that may match anywhere, and reports its groups.
pub(crate) fn search(pattern: &str) -> Result<PikeVM, BadRegex> {
    let nfa = compile(&[parse(pattern)?], REGEX_BYTES, WhichCaptures::All)?;
    let found = nfa.group_info().group_len(PatternID::ZERO) - 1;
    if found > GROUPS {
        return Err(BadRegex(format!("{found} groups: the limit is {GROUPS}")));
    }
    // Twice: the threads of this byte, and those of the next.
    let slots = 2 * nfa.states().len() * nfa.group_info().slot_len();
    if slots * size_of::<u64>() > SEARCH_BYTES {
        return Err(BadRegex("its groups take too much memory".to_owned()));
    }
    PikeVM::new_from_nfa(nfa).map_err(|error| BadRegex(error.to_string()))
}

/// How many groups it has, including the whole match.
pub(crate) fn groups(pattern: &PikeVM) -> usize {
    pattern.get_nfa().group_info().group_len(PatternID::ZERO)
}

fn compile(patterns: &[Hir], bytes: usize, captures: WhichCaptures) -> Result<NFA, BadRegex> {
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(captures)
        .nfa_size_limit(Some(bytes));
    Compiler::new()
        .configure(config)
        .build_many_from_hir(patterns)
        .map_err(|error| BadRegex(error.to_string()))
}

fn whole(pattern: &str) -> Result<Hir, BadRegex> {
    let parts = vec![Hir::look(Look::Start), parse(pattern)?, Hir::look(Look::End)];
    Ok(Hir::concat(parts))
}

fn parse(pattern: &str) -> Result<Hir, BadRegex> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    parser.parse(pattern).map_err(|error| {
        BadRegex(match error {
            // The error itself would show the pattern in several lines; a log needs only the reason.
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            _ => "not a regular expression".to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regexes_take_the_whole_value_as_bytes() {
        let regexes = Regexes::default();
        let matches = |pattern: &str, value: &[u8]| regexes.is_match(pattern, value).unwrap();
        assert!(matches("/a|/b", b"/b") && !matches("/a|/b", b"/bc") && !matches("b", b"ab"));
        assert!(
            matches("a|ab", b"ab") && matches("a*?", b"aaa"),
            "not the first way alone"
        );
        assert!(matches(".", b"\xff") && matches("a.*", b"a\xff\xfe") && !matches(".", b"\n"));
        for bad in ["(", "a)(b", "*", "(?P<", r"\1", "(?=a)"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(
            check(&format!("(?:a{{1000}}){{1000}}{}", "b")).is_err(),
            "the size is limited"
        );
    }

    #[test]
    fn what_every_match_begins_with_is_known() {
        for (pattern, prefix) in [
            ("/a/[0-9]+", "/a/"),
            ("^/a|/ab", "/a"),
            ("(?i)/a", "/"),
            (".*", ""),
            ("/a?", "/"),
        ] {
            let found = literal_prefix(pattern);
            assert_eq!(found, prefix.as_bytes(), "{pattern}");
        }
    }
}
