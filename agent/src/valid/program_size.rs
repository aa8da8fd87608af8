//! Envoy rejects a regular expression whose RE2 program is larger than 100. The size is calculated closely for what we
//! send: words, classes, and alternatives of words that begin differently.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::r#type::matcher::v3::RegexMatcher;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::violation::{Broken, Located as _, Violation};

/// Envoy's `re2.max_program_size.error_level`.
const MOST: usize = 100;
/// The parts of every program: an initial loop, a match and a failure.
const FRAME: usize = 4;
/// What RE2 needs to read any character beyond ASCII.
const BEYOND_ASCII: usize = 6;

pub(super) fn check(matcher: &RegexMatcher) -> Result<(), Violation> {
    // Every chain has dozens of these, so they are not parsed.
    if is_plain(&matcher.regex) && FRAME + matcher.regex.len() <= MOST {
        return Ok(());
    }
    let parsed = regex_syntax::parse(&matcher.regex);
    let size = parsed.map(|hir| FRAME + size(&hir));
    match size {
        Ok(size) if size <= MOST => Ok(()),
        Ok(size) => Err(Broken::ProgramSize(size, MOST)).within("regex"),
        Err(error) => Err(Broken::Regex(error.to_string())).within("regex"),
    }
}

/// Whether this is a word with classes of punctuation (`x[-_]a`): none of its bytes needs more than one instruction.
fn is_plain(regex: &str) -> bool {
    let mut class = None;
    for byte in regex.bytes() {
        class = match (class, byte) {
            (None, b'[') => Some(0),
            (Some(signs), b']') if signs > 0 => None,
            (Some(signs), b'-' | b'_' | b'.') if signs < 2 => Some(signs + 1),
            (None, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => None,
            _ => return false,
        };
    }
    class.is_none()
}

fn size(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(class) => size_of_class(class),
        HirKind::Capture(group) => size(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(size).sum(),
        HirKind::Repetition(repetition) => {
            let least = repetition.min.max(1);
            let most = repetition.max.unwrap_or(least).max(least);
            let copies = usize::try_from(most).unwrap_or(usize::MAX);
            size(&repetition.sub).saturating_mul(copies)
        }
    }
}

/// Each byte range counts; those of upper and lower case count once.
fn size_of_class(class: &Class) -> usize {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class
            .iter()
            .map(|range| (range.start().into(), range.end().into()))
            .collect(),
        Class::Bytes(class) => class
            .iter()
            .map(|range| (range.start().into(), range.end().into()))
            .collect(),
    };
    let is_ascii = |(from, _): &&(u32, u32)| *from < 0x80;
    let lower = |letter: u32| match letter {
        0x41..=0x5a => letter + 0x20,
        other => other,
    };
    let ascii: BTreeSet<_> = ranges
        .iter()
        .filter(is_ascii)
        .map(|(from, to)| (lower(*from), lower(*to)))
        .collect();
    let is_wide = ranges.last().is_some_and(|(_, to)| *to == 0x10_ffff);
    ascii.len() + if is_wide { BEYOND_ASCII } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(regex: &str) -> usize {
        FRAME + size(&regex_syntax::parse(regex).unwrap())
    }

    /// The sizes are from RE2.
    #[test]
    fn the_size_is_that_of_re2() {
        for (regex, size) in [
            ("a", 5),
            ("abc", 7),
            ("a[-_]b", 8),
            ("a.*", 13),
            ("(?:a|b)", 5),
            ("(?:envoy|sealgate|client-cert|tls)", 31),
            ("x[-_](?:envoy|sealgate|client[-_]cert|tls)[-_].*", 45),
            ("[0-9a-z._-]", 8),
            ("[0-9]{3}", 7),
        ] {
            assert_eq!(told(regex), size, "{regex}");
        }
        assert!(told("(?i)abc") <= 7 && told("[0-9a-z._-]{1,10}") <= 53);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let is_good = |regex: String| {
            let matcher = RegexMatcher {
                regex,
                ..RegexMatcher::default()
            };
            check(&matcher).is_ok()
        };
        assert!(is_good("x".repeat(96)));
        assert!(!is_good("x".repeat(97)));
        assert!(!is_good("(".to_owned()));
    }

    #[test]
    fn a_plain_word_is_never_larger_than_it_is_long() {
        for plain in ["x-a", "x[-_]a[.]b", "[-_]"] {
            assert!(is_plain(plain), "{plain}");
            assert!(told(plain) <= FRAME + plain.len());
        }
        for other in [
            "[", "[]", "[-", "a]", "a.", "a*", "(a", "[^a]", "[a]", "[_-.]", "A|b", "\\\\d", "ä",
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }
}
