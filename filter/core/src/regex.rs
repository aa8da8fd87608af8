//! Regexes as Envoy's RE2 has them: bytes, not Unicode, and linear in the value. A lazy automaton answers whether a
//! whole value matches: of all engines it is the one that is both fast and small, and it takes many patterns at once.

mod cache;
mod lru;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, Compiler, NFA, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind, PatternID, PatternSet};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

pub(crate) use cache::{Digest, Regexes, digest};

use crate::table::Corrupt;
use lru::Size;

/// Compiled patterns may take this much memory each; more is refused when the table is made.
const REGEX_BYTES: usize = 1 << 20;
/// Many at once may take this much.
const SET_BYTES: usize = 8 << 20;

/// A pattern that cannot be compiled: why, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRegex(pub(crate) String);

impl From<BadRegex> for Corrupt {
    /// Every pattern of a table was compiled when the table was made.
    fn from(_: BadRegex) -> Self {
        Self
    }
}

/// Whether a pattern is one.
pub(crate) fn check(pattern: &str) -> Result<(), BadRegex> {
    Automaton::of(&[pattern], REGEX_BYTES).map(drop)
}

/// Whether patterns can be tried together: not if that takes too much memory.
pub(crate) fn fit_together(patterns: &[&str]) -> bool {
    Automaton::of(patterns, SET_BYTES).is_ok()
}

/// What every value that the pattern takes begins with.
pub(crate) fn literal_prefix(pattern: &str) -> Vec<u8> {
    let literals = parse(pattern).map(|hir| Extractor::new().extract(&hir));
    let common = literals
        .ok()
        .and_then(|set| set.longest_common_prefix().map(<[u8]>::to_vec));
    common.unwrap_or_default()
}

/// Patterns that must take the whole value. Built state by state as values ask for it; the states are forgotten when
/// they are too many.
#[derive(Debug)]
struct Automaton {
    dfa: DFA,
    cache: Cache,
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
        Ok(Self { dfa, cache })
    }

    fn is_match(&mut self, value: &[u8]) -> bool {
        let input = Input::new(value).anchored(Anchored::Yes).earliest(true);
        // It neither quits at a byte nor gives up: nothing here is configured so.
        self.dfa
            .try_search_fwd(&mut self.cache, &input)
            .is_ok_and(|found| found.is_some())
    }

    /// The patterns that match, by their place, ascending.
    fn matches(&mut self, value: &[u8]) -> PatternSet {
        let mut found = PatternSet::new(self.dfa.pattern_len());
        let input = Input::new(value).anchored(Anchored::Yes);
        let done = self
            .dfa
            .try_which_overlapping_matches(&mut self.cache, &input, &mut found);
        if done.is_err() {
            // As above: never. If it were, all are tried by themselves.
            self.dfa.get_nfa().patterns().for_each(|pattern| {
                found.insert(pattern);
            });
        }
        found
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

/// A pattern that may match anywhere, and says what its groups took.
pub(crate) fn search(pattern: &str) -> Result<PikeVM, BadRegex> {
    let nfa = compile(&[parse(pattern)?], REGEX_BYTES, WhichCaptures::All)?;
    PikeVM::new_from_nfa(nfa).map_err(|error| BadRegex(error.to_string()))
}

/// How many groups it has, the whole match included.
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
            // The error itself would draw the pattern over several lines; a log wants the reason alone.
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
