//! One condition on one value.

use crate::regex::Pattern;
use crate::table::StringMatcher;

/// A compiled [`StringMatcher`].
#[derive(Debug)]
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

#[cfg(test)]
mod tests {
    use super::*;

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
