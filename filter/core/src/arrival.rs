//! A request's path as rules see it, after Envoy has normalized it before any filter (`path_utility.cc` and its URL
//! library, googleurl). Reimplemented here for `explain`; a test compares it with the real Envoy, spelling by spelling.

use std::borrow::Cow;

/// How paths are normalized before any rule sees them, in Istio's terms (`pathNormalization`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathNormalization {
    /// Not at all: rules see what the client sent.
    None,
    /// RFC 3986: dot segments are resolved, `\` is `/`, and letters and digits are not escaped. Escaped slashes stay: a
    /// redirect of `/%2fhost` to `//host` would lead to another host.
    Base,
    /// `Base`, and consecutive slashes are merged.
    #[default]
    MergeSlashes,
    /// `MergeSlashes`, and escaped slashes are decoded.
    DecodeAndMergeSlashes,
}

/// How `%2F` and `%5C` are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EscapedSlashes {
    /// They are kept.
    Kept,
    /// The request is rejected (400).
    Refused,
    /// The client is redirected to the path with decoded ones (307).
    Redirected,
    /// They are decoded.
    Decoded,
}

impl PathNormalization {
    /// Whether dot segments are resolved.
    #[must_use]
    pub fn resolves_dots(self) -> bool {
        self != Self::None
    }

    /// Whether consecutive slashes are merged.
    #[must_use]
    pub fn merges_slashes(self) -> bool {
        matches!(self, Self::MergeSlashes | Self::DecodeAndMergeSlashes)
    }

    /// How escaped slashes are treated, unless set separately.
    fn escaped_slashes(self) -> EscapedSlashes {
        match self {
            Self::None | Self::Base | Self::MergeSlashes => EscapedSlashes::Kept,
            Self::DecodeAndMergeSlashes => EscapedSlashes::Decoded,
        }
    }
}

/// How the paths of a listener, or of one filter chain, are normalized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// How much is normalized.
    pub form: PathNormalization,
    /// How escaped slashes are treated; none if the form decides.
    pub escaped: Option<EscapedSlashes>,
}

impl PathPolicy {
    /// What becomes of escaped slashes.
    #[must_use]
    pub fn escaped_slashes(self) -> EscapedSlashes {
        self.escaped.unwrap_or_else(|| self.form.escaped_slashes())
    }

    /// The same, with this treatment of escaped slashes if it is set.
    #[must_use]
    pub fn with(self, escaped: Option<EscapedSlashes>) -> Self {
        Self {
            escaped: escaped.or(self.escaped),
            ..self
        }
    }
}

impl From<PathNormalization> for PathPolicy {
    fn from(form: PathNormalization) -> Self {
        Self { form, escaped: None }
    }
}

/// What happens to a path before any rule sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival<'p> {
    /// Rules see this.
    Seen(Cow<'p, str>),
    /// No rule sees it: the client is redirected to this path (307), or rejected as with 400 if it speaks gRPC, which
    /// has no redirects.
    Redirected(String),
    /// No rule sees it: 400.
    Refused,
}

/// Normalizes a path with its query. What is not a path (`*`, or that of CONNECT) is kept.
#[must_use]
pub fn arrival(path: &str, how: PathPolicy) -> Arrival<'_> {
    if !path.starts_with('/') {
        return Arrival::Seen(path.into());
    }
    // Fragments are only for clients.
    if path.contains('#') {
        return Arrival::Refused;
    }
    let end = path.find('?').unwrap_or(path.len());
    let (own, query) = path.split_at(end);
    let decoded = match how.escaped_slashes() {
        EscapedSlashes::Kept | EscapedSlashes::Refused => Cow::Borrowed(own),
        EscapedSlashes::Redirected | EscapedSlashes::Decoded => unescape_slashes(own),
    };
    let was_escaped = decoded.len() != own.len();
    if how.escaped_slashes() == EscapedSlashes::Refused && unescape_slashes(own).len() != own.len() {
        return Arrival::Refused;
    }
    let mut new = decoded;
    if how.form.resolves_dots() {
        match canonical(&plain_dots(&new)) {
            Some(canonical) => new = canonical.into(),
            None => return Arrival::Refused,
        }
    }
    if how.form.merges_slashes() {
        new = merge_slashes(new);
    }
    if was_escaped && how.escaped_slashes() == EscapedSlashes::Redirected {
        return Arrival::Redirected(new.into_owned() + query);
    }
    if *new == *own {
        return Arrival::Seen(path.into());
    }
    Arrival::Seen((new.into_owned() + query).into())
}

fn unescape_slashes(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let slashes = path.replace("%2F", "/").replace("%2f", "/");
    slashes.replace("%5C", "\\").replace("%5c", "\\").into()
}

/// A path of only slashes keeps two: Envoy writes the first and the last one separately.
fn merge_slashes(path: Cow<'_, str>) -> Cow<'_, str> {
    if !path.contains("//") {
        return path;
    }
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let end = if path.ends_with('/') { "/" } else { "" };
    format!("/{}{end}", names.join("/")).into()
}

/// Dot segments without matrix parameters: `/..;x/` is `/../`. Escaped dots keep theirs.
fn plain_dots(path: &str) -> Cow<'_, str> {
    if !path.contains("/.;") && !path.contains("/..;") {
        return path.into();
    }
    let plain = |segment: &'_ str| match segment.split_once(';') {
        Some((".", _)) => ".".to_owned(),
        Some(("..", _)) => "..".to_owned(),
        _ => segment.to_owned(),
    };
    path.split('/').map(plain).collect::<Vec<_>>().join("/").into()
}

/// Resolves dot segments, turns `\` into `/`, decodes letters and digits, and escapes what paths must not contain. None
/// if it contains a NUL.
fn canonical(path: &str) -> Option<String> {
    let mut new = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = after_dot(rest) {
            rest = dot(after, &mut new);
            continue;
        }
        let mut length = first.len_utf8();
        match first {
            '\\' => new.push('/'),
            '%' => match escaped(rest) {
                Some(0) => return None,
                Some(byte) if is_unreserved(byte) => {
                    new.push(byte.into());
                    length = ESCAPED;
                }
                _ => new.push('%'),
            },
            letter if is_barred(letter) => escape(letter, &mut new),
            letter => new.push(letter),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Some(new)
}

/// The bytes of `%41`.
const ESCAPED: usize = 3;

/// The byte that an escape such as `%41` at the start of a text stands for.
fn escaped(text: &str) -> Option<u8> {
    let digits = text.get(1..ESCAPED)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    are_digits.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// RFC 3986, 2.3; dots are handled before.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~')
}

/// What follows a dot, plain or escaped.
fn after_dot(text: &str) -> Option<&str> {
    let dots = [".", "%2e", "%2E"];
    dots.iter().find_map(|dot| text.strip_prefix(dot))
}

fn after_slash(text: &str) -> Option<&str> {
    text.strip_prefix(['/', '\\'])
}

/// The rest of the text after a segment's end, which is at a slash or at the end of the text.
fn after_end(text: &str) -> Option<&str> {
    if text.is_empty() {
        Some(text)
    } else {
        after_slash(text)
    }
}

/// Handles a dot: it is a whole segment, the first half of one that goes up, or part of a name. Returns the rest.
fn dot<'p>(after: &'p str, new: &mut String) -> &'p str {
    if !new.ends_with('/') {
        new.push('.');
        return after;
    }
    if let Some(rest) = after_end(after) {
        return rest;
    }
    if let Some(rest) = after_dot(after).and_then(after_end) {
        go_up(new);
        return rest;
    }
    new.push('.');
    after
}

/// Removes the last segment, and keeps the slash before it; there is nothing above the root.
fn go_up(new: &mut String) {
    let above = new.strip_suffix('/').and_then(|own| own.rfind('/'));
    new.truncate(above.map_or(1, |slash| slash + 1));
}

fn is_barred(letter: char) -> bool {
    !letter.is_ascii()
        || letter.is_ascii_control()
        || matches!(letter, ' ' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}')
}

fn escape(letter: char, new: &mut String) {
    for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
        new.push_str(&format!("%{byte:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [PathNormalization; 4] = [
        PathNormalization::None,
        PathNormalization::Base,
        PathNormalization::MergeSlashes,
        PathNormalization::DecodeAndMergeSlashes,
    ];

    /// The result for a path, with each of [`ALL`]: `=` unchanged, `> PATH` a redirect, `!` rejected.
    const CASES: [(&str, [&str; 4]); 18] = [
        ("/admin", ["=", "=", "=", "="]),
        ("//admin", ["=", "=", "/admin", "/admin"]),
        ("/./admin", ["=", "/admin", "/admin", "/admin"]),
        ("/x/../admin", ["=", "/admin", "/admin", "/admin"]),
        ("/%2e%2E/admin", ["=", "/admin", "/admin", "/admin"]),
        ("/x/..//admin", ["=", "//admin", "/admin", "/admin"]),
        ("/\\\\admin", ["=", "///admin", "/admin", "/admin"]),
        ("/%61dmin", ["=", "/admin", "/admin", "/admin"]),
        ("/%2fadmin?a=%2f//", ["=", "=", "=", "/admin?a=%2f//"]),
        ("/x%5C..%2fadmin", ["=", "=", "=", "/admin"]),
        ("/%252fadmin", ["=", "=", "=", "="]),
        ("/;/admin", ["=", "=", "=", "="]),
        ("/x/..;y/admin", ["=", "/admin", "/admin", "/admin"]),
        (
            "/x/%2e.;y/admin",
            ["=", "/x/..;y/admin", "/x/..;y/admin", "/x/..;y/admin"],
        ),
        ("/admin%00", ["=", "!", "!", "!"]),
        ("/admin#x", ["!", "!", "!", "!"]),
        ("//", ["=", "=", "=", "="]),
        ("*", ["=", "=", "=", "="]),
    ];

    /// The results for a path with each treatment of escaped slashes.
    #[test]
    fn escaped_slashes_are_what_is_said_of_them() {
        let policy = |escaped| PathPolicy::default().with(Some(escaped));
        let redirect = |to: &str| Arrival::Redirected(to.to_owned());
        let seen = |path: &'static str| Arrival::Seen(path.into());
        for (path, kept, redirected, decoded) in [
            (
                "/a%2Fb//c?d=%2f",
                seen("/a%2Fb/c?d=%2f"),
                redirect("/a/b/c?d=%2f"),
                seen("/a/b/c?d=%2f"),
            ),
            ("/a%5cb", seen("/a%5cb"), redirect("/a/b"), seen("/a/b")),
        ] {
            assert_eq!(arrival(path, policy(EscapedSlashes::Kept)), kept);
            assert_eq!(arrival(path, policy(EscapedSlashes::Redirected)), redirected);
            assert_eq!(arrival(path, policy(EscapedSlashes::Decoded)), decoded);
            assert_eq!(arrival(path, policy(EscapedSlashes::Refused)), Arrival::Refused);
        }
        assert_eq!(
            arrival("/a?b=%2F", policy(EscapedSlashes::Refused)),
            seen("/a?b=%2F")
        );
    }

    #[test]
    fn paths_come_into_one_form_as_far_as_asked_for() {
        for (path, expected) in CASES {
            for (how, expected) in ALL.into_iter().zip(expected) {
                let found = match arrival(path, how.into()) {
                    Arrival::Seen(seen) if seen == path => "=".to_owned(),
                    Arrival::Seen(seen) => seen.into_owned(),
                    Arrival::Redirected(to) => format!("> {to}"),
                    Arrival::Refused => "!".to_owned(),
                };
                assert_eq!(found, expected, "{path} {how:?}");
            }
        }
    }
}
