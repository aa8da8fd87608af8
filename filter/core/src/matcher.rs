//! One condition on one value.

use regex_automata::meta::{self, Regex};
use regex_automata::{Input, MatchKind};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

use crate::table::StringMatcher;

/// Compiled patterns may take this much memory each; more is refused when the table is made.
const REGEX_BYTES: usize = 1 << 20;

/// A compiled [`StringMatcher`].
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Present,
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Regex(Box<Pattern>),
}

impl Matcher {
    pub(crate) fn compile(matcher: &StringMatcher) -> Result<Self, String> {
        Ok(match matcher {
            StringMatcher::Present => Self::Present,
            StringMatcher::Exact(text) => Self::Exact(text.as_bytes().into()),
            StringMatcher::Prefix(text) => Self::Prefix(text.as_bytes().into()),
            StringMatcher::Regex(pattern) => Self::Regex(Box::new(Pattern::new(pattern)?)),
        })
    }

    pub(crate) fn is_match(&self, value: &[u8], ignore_case: bool) -> bool {
        match self {
            Self::Present => true,
            Self::Exact(text) if ignore_case => text.eq_ignore_ascii_case(value),
            Self::Exact(text) => **text == *value,
            Self::Prefix(text) => value.get(..text.len()).is_some_and(|start| {
                if ignore_case {
                    text.eq_ignore_ascii_case(start)
                } else {
                    **text == *start
                }
            }),
            Self::Regex(pattern) => pattern.is_match(value),
        }
    }
}

/// A regex that must take the whole value; bytes, not Unicode, like Envoy's RE2.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: Box<str>,
    regex: Regex,
}

impl Pattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let builder = || Regex::builder().configure(config(REGEX_BYTES)).clone();
        Ok(Self {
            text: text.into(),
            regex: builder()
                .build_from_hir(&whole(text)?)
                .map_err(|error| error.to_string())?,
        })
    }

    pub(crate) fn is_match(&self, value: &[u8]) -> bool {
        self.regex.is_match(Input::new(value))
    }

    /// What every value that matches begins with.
    pub(crate) fn literal_prefix(&self) -> Vec<u8> {
        let literals = parse(&self.text).map(|hir| Extractor::new().extract(&hir));
        let common = literals
            .ok()
            .and_then(|set| set.longest_common_prefix().map(<[u8]>::to_vec));
        common.unwrap_or_default()
    }

    /// All of them in one, which says which of them match; none if that takes more than `bytes`.
    pub(crate) fn set<'p>(patterns: impl Iterator<Item = &'p Self>, bytes: usize) -> Option<Regex> {
        let all: Vec<Hir> = patterns
            .map(|pattern| whole(&pattern.text))
            .collect::<Result<_, _>>()
            .ok()?;
        let config = config(bytes).match_kind(MatchKind::All);
        Regex::builder().configure(config).build_many_from_hir(&all).ok()
    }
}

/// A pattern that may match anywhere.
pub(crate) fn search(pattern: &str) -> Result<Regex, String> {
    Regex::builder()
        .configure(config(REGEX_BYTES))
        .build_from_hir(&parse(pattern)?)
        .map_err(|error| error.to_string())
}

fn config(bytes: usize) -> meta::Config {
    Regex::config()
        .match_kind(MatchKind::LeftmostFirst)
        .utf8_empty(false)
        .nfa_size_limit(Some(bytes))
        .hybrid_cache_capacity(bytes)
}

fn whole(pattern: &str) -> Result<Hir, String> {
    let ends = [Look::Start, Look::End].map(Hir::look);
    let [start, end] = ends;
    Ok(Hir::concat(vec![start, parse(pattern)?, end]))
}

fn parse(pattern: &str) -> Result<Hir, String> {
    let parsed = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(pattern);
    parsed.map_err(|error| {
        // The library draws the pattern over several lines; a log wants the reason alone.
        let text = error.to_string();
        let reason = text.lines().rev().find_map(|line| line.strip_prefix("error: "));
        reason.map_or_else(|| text.replace('\n', " "), str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regexes_take_the_whole_value_as_bytes() {
        let matches = |pattern: &str, value: &[u8]| Pattern::new(pattern).unwrap().is_match(value);
        assert!(matches("/a|/b", b"/b") && !matches("/a|/b", b"/bc") && !matches("b", b"ab"));
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
    fn case_is_ignored_where_it_is_asked_for() {
        let prefix = Matcher::Prefix(b"/Ab".as_slice().into());
        assert!(
            prefix.is_match(b"/aBc", true)
                && !prefix.is_match(b"/aBc", false)
                && !prefix.is_match(b"/", true)
        );
    }
}
