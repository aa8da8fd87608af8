//! What there is to say of an object.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Code, ObjectRef, Severity};

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

/// A finding as JSON has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FindingStatus {
    /// `error`, `warning` or `info`.
    pub severity: String,
    /// A stable kebab-case word.
    pub code: String,
    /// `Secret istio-system/a`.
    pub object: String,
    /// The place in the object.
    pub field: Option<String>,
    /// For people.
    pub message: String,
}

impl From<&Finding> for FindingStatus {
    fn from(finding: &Finding) -> Self {
        Self {
            severity: finding.severity.as_str().to_owned(),
            code: finding.code.as_str().to_owned(),
            object: finding.object.to_string(),
            field: finding.field.clone(),
            message: finding.message.clone(),
        }
    }
}
