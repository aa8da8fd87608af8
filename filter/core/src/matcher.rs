//! One condition on one value.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

use crate::table::StringMatcher;

/// Compiled patterns may take this much memory each; more is refused when the table is made.
const REGEX_BYTES: usize = 1 << 20;

/// A compiled [`StringMatcher`].
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Present,
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Regex(Box<Regex>),
}

impl Matcher {
    pub(crate) fn compile(matcher: &StringMatcher) -> Result<Self, String> {
        Ok(match matcher {
            StringMatcher::Present => Self::Present,
            StringMatcher::Exact(text) => Self::Exact(text.as_bytes().into()),
            StringMatcher::Prefix(text) => Self::Prefix(text.as_bytes().into()),
            StringMatcher::Regex(pattern) => Self::Regex(Box::new(full_match(pattern)?)),
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
            Self::Regex(regex) => regex.is_match(Input::new(value)),
        }
    }
}

/// A pattern that must take the whole value; bytes, not Unicode, like Envoy's RE2.
pub(crate) fn full_match(pattern: &str) -> Result<Regex, String> {
    // Compiled alone first: `a)(b` must not become valid by the group that is put around it.
    search(pattern)?;
    search(&format!(r"\A(?:{pattern})\z"))
}

/// A pattern that may match anywhere.
pub(crate) fn search(pattern: &str) -> Result<Regex, String> {
    let config = Regex::config()
        .match_kind(MatchKind::LeftmostFirst)
        .utf8_empty(false)
        .nfa_size_limit(Some(REGEX_BYTES))
        .hybrid_cache_capacity(REGEX_BYTES);
    Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(pattern)
        .map_err(|error| match error.syntax_error() {
            // The library draws the pattern over several lines; a log wants the reason alone.
            Some(syntax) => {
                let text = syntax.to_string();
                let reason = text.lines().rev().find_map(|line| line.strip_prefix("error: "));
                reason.map_or_else(|| text.replace('\n', " "), str::to_owned)
            }
            None => error.to_string(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regexes_take_the_whole_value_as_bytes() {
        let matches = |pattern: &str, value: &[u8]| full_match(pattern).unwrap().is_match(value);
        assert!(matches("/a|/b", b"/b") && !matches("/a|/b", b"/bc") && !matches("b", b"ab"));
        assert!(matches(".", b"\xff") && matches("a.*", b"a\xff\xfe") && !matches(".", b"\n"));
        for bad in ["(", "a)(b", "*", "(?P<", r"\1", "(?=a)"] {
            assert!(full_match(bad).is_err(), "{bad}");
        }
        assert!(
            full_match(&format!("(?:a{{1000}}){{1000}}{}", "b")).is_err(),
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
