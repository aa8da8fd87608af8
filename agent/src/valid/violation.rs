//! What Envoy would refuse a message for.

use std::fmt;

/// A rule that a value breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A field, or one of several, has to be there.
    #[error("it is missing")]
    Missing,
    /// A text is too short.
    #[error("at least {0} characters")]
    MinLen(usize),
    /// A text is too long.
    #[error("at most {0} characters")]
    MaxLen(usize),
    /// A text has another length.
    #[error("{0} characters, no more and no fewer")]
    Len(usize),
    /// Too short, in bytes.
    #[error("at least {0} bytes")]
    MinBytes(usize),
    /// Too long, in bytes.
    #[error("at most {0} bytes")]
    MaxBytes(usize),
    /// Another length, in bytes.
    #[error("{0} bytes, no more and no fewer")]
    Bytes(usize),
    /// Too few entries.
    #[error("at least {0} of them")]
    MinItems(usize),
    /// Too many entries.
    #[error("at most {0} of them")]
    MaxItems(usize),
    /// An entry is there twice.
    #[error("no two of them may be equal")]
    Unique,
    /// A number or duration is out of bounds.
    #[error("{0} {1}")]
    Bound(&'static str, String),
    /// A number that no word of the enum has.
    #[error("{0} is not a value of this enum")]
    Undefined(i32),
    /// Some values alone are good.
    #[error("one of {0}")]
    OneOf(String),
    /// Some values are barred.
    #[error("none of {0}")]
    NoneOf(String),
    /// One value alone is good.
    #[error("{0} and nothing else")]
    Const(String),
    /// How a text has to begin.
    #[error("it begins with {0:?}")]
    Prefix(&'static str),
    /// How a text has to end.
    #[error("it ends with {0:?}")]
    Suffix(&'static str),
    /// What a text has to hold.
    #[error("it contains {0:?}")]
    Contains(&'static str),
    /// What a text may not hold.
    #[error("it does not contain {0:?}")]
    NotContains(&'static str),
    /// A text is of another form.
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
    /// A star anywhere but in a first label of its own.
    #[error("{0:?} has a star that is not a whole label at the start")]
    PartialWildcard(String),
    /// Two virtual hosts, or one twice, have a domain.
    #[error("the domain {0:?} occurs twice")]
    DomainTwice(String),
    /// What RE2 makes of the regular expression is too large.
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
    /// Where it is, from the resource on.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Which rule it is.
    #[must_use]
    pub fn broken(&self) -> &Broken {
        &self.broken
    }

    /// The same, seen from the message that has `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        let dot = if self.field.is_empty() { "" } else { "." };
        self.field = format!("{field}{dot}{}", self.field);
        self
    }
}

/// Says in which field of a message a rule is broken.
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
