//! What there is to say of an object.

use std::fmt;

use crate::{Code, ObjectRef};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The object, or a part of it, is not carried out as written.
    Error,
    /// It is carried out, and probably not what was meant.
    Warning,
    /// Worth knowing.
    Info,
}

/// One thing to say about one object: the form of `check --json`, of the log and of `/api/status`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How serious it is.
    pub severity: Severity,
    /// Which kind of thing it is, as a stable word.
    pub code: Code,
    /// What it is about.
    pub object: ObjectRef,
    /// The place in the object (`spec.http[0].match[1].uri.regex`, `data[tls.key]`), where there is one.
    pub field: Option<String>,
    /// For people. Never holds a byte of a private key.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.object)?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        write!(f, "{} ({})", self.message, self.code)
    }
}
