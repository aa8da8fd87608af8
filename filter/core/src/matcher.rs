//! One condition on one value.

use crate::regex::Regexes;
use crate::rules::{ArchivedStringMatcher, StringMatcher};
use crate::undecided::Undecided;

/// A [`StringMatcher`], plain or archived.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ValueMatcher<'t> {
    Present,
    Exact(&'t [u8]),
    Prefix(&'t [u8]),
    Regex(&'t str),
}

impl<'t> From<&'t StringMatcher> for ValueMatcher<'t> {
    fn from(matcher: &'t StringMatcher) -> Self {
        match matcher {
            StringMatcher::Present => Self::Present,
            StringMatcher::Exact(text) => Self::Exact(text.as_bytes()),
            StringMatcher::Prefix(text) => Self::Prefix(text.as_bytes()),
            StringMatcher::Regex(pattern) => Self::Regex(pattern),
        }
    }
}

impl<'t> From<&'t ArchivedStringMatcher> for ValueMatcher<'t> {
    fn from(matcher: &'t ArchivedStringMatcher) -> Self {
        match matcher {
            ArchivedStringMatcher::Present => Self::Present,
            ArchivedStringMatcher::Exact(text) => Self::Exact(text.as_bytes()),
            ArchivedStringMatcher::Prefix(text) => Self::Prefix(text.as_bytes()),
            ArchivedStringMatcher::Regex(pattern) => Self::Regex(pattern),
        }
    }
}

impl ValueMatcher<'_> {
    pub(crate) fn is_match(
        self,
        value: &[u8],
        ignore_case: bool,
        regexes: &Regexes,
    ) -> Result<bool, Undecided> {
        Ok(match self {
            Self::Present => true,
            Self::Exact(text) if ignore_case => text.eq_ignore_ascii_case(value),
            Self::Exact(text) => *text == *value,
            Self::Prefix(text) => value.get(..text.len()).is_some_and(|start| {
                if ignore_case {
                    text.eq_ignore_ascii_case(start)
                } else {
                    *text == *start
                }
            }),
            Self::Regex(pattern) => return regexes.is_match(pattern, value),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_ignored_where_it_is_asked_for() {
        let regexes = Regexes::default();
        let takes = |value: &[u8], ignore_case| {
            ValueMatcher::Prefix(b"/Ab").is_match(value, ignore_case, &regexes) == Ok(true)
        };
        assert!(takes(b"/aBc", true) && !takes(b"/aBc", false) && !takes(b"/", true));
    }
}
