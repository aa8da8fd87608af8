//! Regexes as Envoy's RE2 has them: bytes, not Unicode, and linear in the value. A lazy automaton answers whether a
//! whole value matches: of all engines it is the one that is both fast and small, and it takes many patterns at once.

use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, Compiler, NFA, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind, PatternID, PatternSet};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

/// Compiled patterns may take this much memory each; more is refused when the table is made.
const REGEX_BYTES: usize = 1 << 20;
/// Many at once may take this much.
const SET_BYTES: usize = 8 << 20;

/// A regex that must take the whole value.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: Box<str>,
    automaton: Automaton,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let automaton = Automaton::new(&[whole(text)?], REGEX_BYTES)?;
        Ok(Self {
            text: text.into(),
            automaton,
        })
    }

    pub(crate) fn is_match(&self, value: &[u8]) -> bool {
        self.automaton.is_match(value)
    }

    /// What every value that matches begins with.
    pub(crate) fn literal_prefix(&self) -> Vec<u8> {
        let literals = parse(&self.text).map(|hir| Extractor::new().extract(&hir));
        let common = literals
            .ok()
            .and_then(|set| set.longest_common_prefix().map(<[u8]>::to_vec));
        common.unwrap_or_default()
    }
}

/// Several regexes, tried in one pass over the value.
#[derive(Debug)]
pub(crate) struct Patterns(Automaton);

impl Patterns {
    /// None if that takes too much memory.
    pub(crate) fn new<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Option<Self> {
        let all: Vec<Hir> = patterns
            .map(|pattern| whole(&pattern.text))
            .collect::<Result<_, _>>()
            .ok()?;
        Automaton::new(&all, SET_BYTES).ok().map(Self)
    }

    /// Those that match, by their place, ascending.
    pub(crate) fn matches(&self, value: &[u8]) -> PatternSet {
        self.0.matches(value)
    }
}

/// Built state by state as values ask for it; the states are forgotten when they are too many.
#[derive(Debug)]
struct Automaton {
    dfa: DFA,
    cache: Mutex<Cache>,
}

impl Automaton {
    fn new(patterns: &[Hir], bytes: usize) -> Result<Self, String> {
        let nfa = compile(patterns, bytes, WhichCaptures::None)?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(bytes)
            .skip_cache_capacity_check(true);
        let dfa = DFA::builder()
            .configure(config)
            .build_from_nfa(nfa)
            .map_err(|error| error.to_string())?;
        let cache = Mutex::new(dfa.create_cache());
        Ok(Self { dfa, cache })
    }

    fn is_match(&self, value: &[u8]) -> bool {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let input = Input::new(value).anchored(Anchored::Yes).earliest(true);
        // It neither quits at a byte nor gives up: nothing here is configured so.
        self.dfa
            .try_search_fwd(&mut cache, &input)
            .is_ok_and(|found| found.is_some())
    }

    fn matches(&self, value: &[u8]) -> PatternSet {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = PatternSet::new(self.dfa.pattern_len());
        let input = Input::new(value).anchored(Anchored::Yes);
        let done = self
            .dfa
            .try_which_overlapping_matches(&mut cache, &input, &mut found);
        if done.is_err() {
            // As above: never. If it were, all are tried by themselves.
            self.dfa.get_nfa().patterns().for_each(|pattern| {
                found.insert(pattern);
            });
        }
        found
    }
}

/// A pattern that may match anywhere, and says what its groups took.
pub(crate) fn search(pattern: &str) -> Result<PikeVM, String> {
    let nfa = compile(&[parse(pattern)?], REGEX_BYTES, WhichCaptures::All)?;
    PikeVM::new_from_nfa(nfa).map_err(|error| error.to_string())
}

/// How many groups it has, the whole match included.
pub(crate) fn groups(pattern: &PikeVM) -> usize {
    pattern.get_nfa().group_info().group_len(PatternID::ZERO)
}

fn compile(patterns: &[Hir], bytes: usize, captures: WhichCaptures) -> Result<NFA, String> {
    let config = thompson::Config::new()
        .utf8(false)
        .which_captures(captures)
        .nfa_size_limit(Some(bytes));
    Compiler::new()
        .configure(config)
        .build_many_from_hir(patterns)
        .map_err(|error| error.to_string())
}

fn whole(pattern: &str) -> Result<Hir, String> {
    let parts = vec![Hir::look(Look::Start), parse(pattern)?, Hir::look(Look::End)];
    Ok(Hir::concat(parts))
}

fn parse(pattern: &str) -> Result<Hir, String> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    parser.parse(pattern).map_err(|error| match error {
        // The error itself would draw the pattern over several lines; a log wants the reason alone.
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "not a regular expression".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regexes_take_the_whole_value_as_bytes() {
        let matches = |pattern: &str, value: &[u8]| Pattern::new(pattern).unwrap().is_match(value);
        assert!(matches("/a|/b", b"/b") && !matches("/a|/b", b"/bc") && !matches("b", b"ab"));
        assert!(
            matches("a|ab", b"ab") && matches("a*?", b"aaa"),
            "not the first way alone"
        );
        assert!(matches(".", b"\xff") && matches("a.*", b"a\xff\xfe") && !matches(".", b"\n"));
        for bad in ["(", "a)(b", "*", "(?P<", r"\1", "(?=a)"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
        assert!(
            Pattern::new(&format!("(?:a{{1000}}){{1000}}{}", "b")).is_err(),
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
            let found = Pattern::new(pattern).unwrap().literal_prefix();
            assert_eq!(found, prefix.as_bytes(), "{pattern}");
        }
    }
}
