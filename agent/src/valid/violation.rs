//! Why Envoy would reject a message.

use std::fmt;

/// A rule that a value breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A required field, or one of several, is missing.
    #[error("it is missing")]
    Missing,
    /// A text is too short.
    #[error("at least {0} characters")]
    MinLen(usize),
    /// A text is too long.
    #[error("at most {0} characters")]
    MaxLen(usize),
    /// A text does not have this length.
    #[error("{0} characters, no more and no fewer")]
    Len(usize),
    /// Too short, in bytes.
    #[error("at least {0} bytes")]
    MinBytes(usize),
    /// Too long, in bytes.
    #[error("at most {0} bytes")]
    MaxBytes(usize),
    /// Not this length, in bytes.
    #[error("{0} bytes, no more and no fewer")]
    Bytes(usize),
    /// Too few entries.
    #[error("at least {0} of them")]
    MinItems(usize),
    /// Too many entries.
    #[error("at most {0} of them")]
    MaxItems(usize),
    /// An entry is duplicated.
    #[error("no two of them may be equal")]
    Unique,
    /// A number or duration is out of bounds.
    #[error("{0} {1}")]
    Bound(&'static str, String),
    /// A number that is not in the enum.
    #[error("{0} is not a value of this enum")]
    Undefined(i32),
    /// Only some values are allowed.
    #[error("one of {0}")]
    OneOf(String),
    /// Some values are forbidden.
    #[error("none of {0}")]
    NoneOf(String),
    /// Only one value is allowed.
    #[error("{0} and nothing else")]
    Const(String),
    /// The prefix that a text must have.
    #[error("it begins with {0:?}")]
    Prefix(&'static str),
    /// The suffix that a text must have.
    #[error("it ends with {0:?}")]
    Suffix(&'static str),
    /// What a text must contain.
    #[error("it contains {0:?}")]
    Contains(&'static str),
    /// What a text must not contain.
    #[error("it does not contain {0:?}")]
    NotContains(&'static str),
    /// A text does not match the pattern.
    #[error("it matches {0}")]
    Pattern(&'static str),
    /// Not the name of a header.
    #[error("a name that a header can have")]
    HeaderName,
    /// Not the value of a header.
    #[error("a value that a header can have")]
    HeaderValue,
    /// Two filter chains of a listener take the same connections.
    #[error("another chain has the same match: {0}")]
    SameMatch(String),
    /// `*` anywhere but as the first label.
    #[error("{0:?} has a star that is not a whole label at the start")]
    PartialWildcard(String),
    /// Two virtual hosts have the same domain, or one has it twice.
    #[error("the domain {0:?} occurs twice")]
    DomainTwice(String),
    /// RE2's program of a regular expression is too large.
    #[error("a regular expression whose program is about {0} long; at most {1}")]
    ProgramSize(usize, usize),
    /// Not a regular expression.
    #[error("it is not a regular expression: {0}")]
    Regex(String),
    /// Another listener has the address.
    #[error("{0} is the address of the listener {1}")]
    AddressTaken(String, String),
}

/// A rule that a field breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    field: String,
    broken: Broken,
}

impl From<Broken> for Violation {
    fn from(broken: Broken) -> Self {
        Self {
            field: String::new(),
            broken,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.broken)
    }
}

impl std::error::Error for Violation {}

impl Violation {
    /// The path of the field, from the resource.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The broken rule.
    #[must_use]
    pub fn broken(&self) -> &Broken {
        &self.broken
    }

    /// The same, seen from the message that contains it as `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        let dot = if self.field.is_empty() { "" } else { "." };
        self.field = format!("{field}{dot}{}", self.field);
        self
    }
}

/// Adds the field in which a rule is broken.
pub(super) trait Located {
    /// In a field.
    fn within(self, field: &'static str) -> Result<(), Violation>;
    /// In an entry of a list.
    fn item(self, field: &'static str, at: usize) -> Result<(), Violation>;
    /// In an entry of a map.
    fn entry(self, field: &'static str, key: &impl fmt::Display) -> Result<(), Violation>;
}

impl<E: Into<Violation>> Located for Result<(), E> {
    fn within(self, field: &'static str) -> Result<(), Violation> {
        self.map_err(|error| error.into().within(field))
    }

    fn item(self, field: &'static str, at: usize) -> Result<(), Violation> {
        self.map_err(|error| error.into().within(&format!("{field}[{at}]")))
    }

    fn entry(self, field: &'static str, key: &impl fmt::Display) -> Result<(), Violation> {
        self.map_err(|error| error.into().within(&format!("{field}[{key}]")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_says_where_and_what() {
        let inner: Result<(), Violation> = Err(Broken::MinBytes(44)).item("pins", 1);
        let outer = inner.within("context").map_err(|error| error.within("chains[3]"));
        let told = outer.map_err(|error| error.to_string());
        assert_eq!(
            told,
            Err("chains[3].context.pins[1]: at least 44 bytes".to_owned())
        );
    }
}
