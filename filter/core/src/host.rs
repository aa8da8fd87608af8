//! Host names: the normal form in which they are compared, and whether one pattern is within another.

use std::borrow::Cow;

/// `:authority` in normal form: lower-case, without port and trailing dot.
#[must_use]
pub fn normalize(authority: &[u8]) -> Cow<'_, [u8]> {
    let host = without_port(authority);
    let host = host.strip_suffix(b".").unwrap_or(host);
    // Nearly all clients send it in lower case.
    if host.iter().any(u8::is_ascii_uppercase) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    }
}

/// `:authority` without its port; an IPv6 address keeps its brackets.
#[must_use]
pub fn without_port(authority: &[u8]) -> &[u8] {
    split_port(authority).0
}

/// Host and port, as written.
#[must_use]
pub fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(colon) = authority.iter().rposition(|byte| *byte == b':') else {
        return (authority, None);
    };
    let (host, port) = authority.split_at(colon);
    let port = port.get(1..).unwrap_or_default();
    let bracketed = host.first() == Some(&b'[');
    let complete = if bracketed {
        host.last() == Some(&b']')
    } else {
        !host.contains(&b':')
    };
    if complete && port.iter().all(u8::is_ascii_digit) {
        (host, Some(port))
    } else {
        (authority, None)
    }
}

/// Whether `pattern` (`*`, `*.suffix` or a name) matches `host`, both normalized; a wildcard matches at least one
/// character.
#[must_use]
pub fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    }
}

/// Of the patterns that match a name, the one with the greatest precedence wins: the name itself, then the longest
/// wildcard.
#[must_use]
pub fn precedence(pattern: &str) -> impl Ord + use<> {
    (!pattern.starts_with('*'), pattern.len())
}

/// The intersection of two patterns: the more specific one, if it is within the other.
#[must_use]
pub fn intersection<'a>(a: &'a str, b: &'a str) -> Option<&'a str> {
    if within(a, b) {
        Some(a)
    } else if within(b, a) {
        Some(b)
    } else {
        None
    }
}

fn within(inner: &str, outer: &str) -> bool {
    inner == outer || matches(outer, inner)
}

/// Whether this is a host name, `*` or `*.suffix`.
#[must_use]
pub fn is_pattern(name: &str) -> bool {
    name == "*" || is_name(name.strip_prefix("*.").unwrap_or(name))
}

/// Whether this is a host name, not a pattern.
#[must_use]
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !label.is_empty() && label.len() <= 63 && label.bytes().all(is_allowed)
}

/// Whether a subset can have this name, which becomes part of a cluster's name and of log lines.
#[must_use]
pub fn is_subset(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_lose_case_port_and_dot() {
        for (authority, host) in [
            ("A.b:80", "a.b"),
            ("a.b.", "a.b"),
            ("a.b.:443", "a.b"),
            ("[::1]:443", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("a:", "a"),
            ("a:x", "a:x"),
            ("", ""),
        ] {
            assert_eq!(*normalize(authority.as_bytes()), *host.as_bytes(), "{authority}");
        }
    }

    #[test]
    fn the_more_specific_of_a_pair_is_what_they_share() {
        for (a, b, shared) in [
            ("*.com", "foo.com", Some("foo.com")),
            ("foo.com", "*.com", Some("foo.com")),
            ("*", "*.com", Some("*.com")),
            ("*.foo.com", "*.com", Some("*.foo.com")),
            ("*.foo.com", "foo.com", None),
            ("*.net", "bar.net", Some("bar.net")),
            ("*.net", "*.com", None),
            ("*", "*", Some("*")),
        ] {
            assert_eq!(intersection(a, b), shared, "{a} {b}");
        }
    }
}
