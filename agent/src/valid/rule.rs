//! The rules of protoc-gen-validate, as Envoy applies them: lengths are in characters unless they say bytes. All rules
//! that the generator knows are here, used or not.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;

use envoy_types::pb::google::protobuf::Duration;
use regex_automata::nfa::thompson::pikevm::PikeVM;

use super::violation::Broken;

/// The result of a rule.
pub type Ruled = Result<(), Broken>;

fn hold(is_kept: bool, broken: impl FnOnce() -> Broken) -> Ruled {
    if is_kept { Ok(()) } else { Err(broken()) }
}

/// The field is set.
pub fn required<T>(value: &Option<T>) -> Ruled {
    hold(value.is_some(), || Broken::Missing)
}

/// A text of at least this many characters.
pub fn min_len(text: &str, least: usize) -> Ruled {
    // A text has no more characters than bytes, and at least one if it has a byte.
    let is_kept = if least < 2 {
        text.len() >= least
    } else {
        text.len() >= least && text.chars().count() >= least
    };
    hold(is_kept, || Broken::MinLen(least))
}

/// A text of at most this many bytes.
pub fn max_bytes(text: &str, most: usize) -> Ruled {
    hold(text.len() <= most, || Broken::MaxBytes(most))
}

/// At most this many bytes.
pub fn max_size(size: usize, most: usize) -> Ruled {
    hold(size <= most, || Broken::MaxBytes(most))
}

/// A text of at most this many characters.
pub fn max_len(text: &str, most: usize) -> Ruled {
    hold(text.chars().count() <= most, || Broken::MaxLen(most))
}

/// A text of exactly this many characters.
pub fn len(text: &str, count: usize) -> Ruled {
    hold(text.chars().count() == count, || Broken::Len(count))
}

/// A text of at least this many bytes.
pub fn min_bytes(text: &str, least: usize) -> Ruled {
    min_size(text.len(), least)
}

/// A text of exactly this many bytes.
pub fn len_bytes(text: &str, count: usize) -> Ruled {
    size(text.len(), count)
}

/// At least this many bytes.
pub fn min_size(size: usize, least: usize) -> Ruled {
    hold(size >= least, || Broken::MinBytes(least))
}

/// Exactly this many bytes.
pub fn size(size: usize, count: usize) -> Ruled {
    hold(size == count, || Broken::Bytes(count))
}

/// A text with this prefix.
pub fn prefix(text: &str, part: &'static str) -> Ruled {
    hold(text.starts_with(part), || Broken::Prefix(part))
}

/// A text with this suffix.
pub fn suffix(text: &str, part: &'static str) -> Ruled {
    hold(text.ends_with(part), || Broken::Suffix(part))
}

/// A text that contains this.
pub fn contains(text: &str, part: &'static str) -> Ruled {
    hold(text.contains(part), || Broken::Contains(part))
}

/// A text that does not contain this.
pub fn not_contains(text: &str, part: &'static str) -> Ruled {
    hold(!text.contains(part), || Broken::NotContains(part))
}

/// This value and no other.
pub fn is<T: PartialEq + fmt::Debug>(value: T, only: T) -> Ruled {
    hold(value == only, || Broken::Const(format!("{only:?}")))
}

/// No entry is duplicated.
pub fn unique<T: Hash + Eq>(entries: &[T]) -> Ruled {
    let mut known = HashSet::new();
    hold(entries.iter().all(|entry| known.insert(entry)), || Broken::Unique)
}

/// At least this many entries.
pub fn min_items(count: usize, least: usize) -> Ruled {
    hold(count >= least, || Broken::MinItems(least))
}

/// At most this many entries.
pub fn max_items(count: usize, most: usize) -> Ruled {
    hold(count <= most, || Broken::MaxItems(most))
}

/// One of these.
pub fn one_of<T: PartialEq + fmt::Debug>(value: T, good: &[T]) -> Ruled {
    hold(good.contains(&value), || Broken::OneOf(format!("{good:?}")))
}

/// None of these.
pub fn none_of<T: PartialEq + fmt::Debug>(value: T, barred: &[T]) -> Ruled {
    hold(!barred.contains(&value), || Broken::NoneOf(format!("{barred:?}")))
}

/// A value that the enum has.
pub fn defined(value: i32, is_valid: fn(i32) -> bool) -> Ruled {
    hold(is_valid(value), || Broken::Undefined(value))
}

/// Greater than the bound.
pub fn gt<T: PartialOrd + fmt::Display>(value: T, bound: T) -> Ruled {
    hold(value > bound, || Broken::Bound("more than", bound.to_string()))
}

/// Greater than or equal to the bound.
pub fn gte<T: PartialOrd + fmt::Display>(value: T, bound: T) -> Ruled {
    hold(value >= bound, || Broken::Bound("at least", bound.to_string()))
}

/// Less than the bound.
pub fn lt<T: PartialOrd + fmt::Display>(value: T, bound: T) -> Ruled {
    hold(value < bound, || Broken::Bound("less than", bound.to_string()))
}

/// Less than or equal to the bound.
pub fn lte<T: PartialOrd + fmt::Display>(value: T, bound: T) -> Ruled {
    hold(value <= bound, || Broken::Bound("at most", bound.to_string()))
}

/// Not between the two.
pub fn outside<T: PartialOrd + fmt::Display>(value: T, most: T, least: T) -> Ruled {
    hold(value <= most || value >= least, || {
        Broken::Bound("at least", least.to_string())
    })
}

/// A text that matches this pattern. RE2 and this engine agree on what the protos use. None of our messages sets such a
/// field, so the expression is not cached.
pub fn pattern(text: &str, pattern: &'static str) -> Ruled {
    let is_match = PikeVM::new(pattern).is_ok_and(|regex| regex.is_match(&mut regex.create_cache(), text));
    hold(is_match, || Broken::Pattern(pattern))
}

/// The name of a header, or of a pseudo-header; unless `is_strict`, only characters that would end it are forbidden.
pub fn header_name(name: &str, is_strict: bool) -> Ruled {
    // `+-.` is a range to Envoy: the comma is in it.
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+,-.^_|~`".contains(&byte);
    let is_kept = if is_strict {
        let bare = name.strip_prefix(':').unwrap_or(name);
        !bare.is_empty() && bare.bytes().all(is_good)
    } else {
        has_no_break(name)
    };
    hold(is_kept, || Broken::HeaderName)
}

/// The value of a header; unless `is_strict`, only characters that would end it are forbidden.
pub fn header_value(value: &str, is_strict: bool) -> Ruled {
    let is_kept = if is_strict {
        value
            .bytes()
            .all(|byte| byte == b'\t' || !byte.is_ascii_control())
    } else {
        has_no_break(value)
    };
    hold(is_kept, || Broken::HeaderValue)
}

fn has_no_break(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, 0 | b'\n' | b'\r'))
}

/// A duration that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i128);

impl Span {
    /// From seconds and nanoseconds.
    pub const fn new(seconds: i64, nanos: i32) -> Self {
        Self(seconds as i128 * 1_000_000_000 + nanos as i128)
    }

    /// From a message.
    pub fn of(duration: &Duration) -> Self {
        Self::new(duration.seconds, duration.nanos)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0 as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests;
