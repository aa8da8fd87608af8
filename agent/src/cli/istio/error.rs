//! Why manifests are not printed.

use std::fmt;

use sealgate_model::ObjectRef;
use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub(super) enum IstioError {
    /// A flag's value cannot be used.
    #[error("{flag} {value}: {reason}")]
    Flag {
        flag: &'static str,
        value: String,
        reason: String,
    },
    /// What is printed is made of them.
    #[error("-f is required: your Gateways, and the VirtualServices that are bound to them")]
    NoFiles,
    /// A file cannot be read, or is no manifest.
    #[error("-f {0}: {1}")]
    Unreadable(String, String),
    /// The user's objects do not allow it.
    #[error("{}", lines(.0))]
    Refused(Vec<ObjectRefusal>),
    /// None of the user's Gateways is this gateway's.
    #[error("no Gateway of {files} selects {selector} (--selector)")]
    NoGateway { files: String, selector: String },
    /// What the build carries is not what it should be.
    #[error("this build does not contain {0}")]
    Carried(&'static str),
    /// It cannot be written.
    #[error("cannot write the manifests: {0}")]
    Written(String),
}

/// What of an object does not allow it.
#[derive(Debug)]
pub(super) struct ObjectRefusal {
    pub(super) object: ObjectRef,
    pub(super) field: String,
    pub(super) reason: String,
}

impl IstioError {
    /// A flag's value that is none.
    pub(super) fn flag(flag: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self::Flag {
            flag,
            value: value.to_owned(),
            reason: reason.into(),
        }
    }

    /// Whether the command was understood, and the answer is "no".
    pub(super) fn is_no(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NoGateway { .. })
    }
}

impl fmt::Display for ObjectRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            object,
            field,
            reason,
        } = self;
        write!(f, "{object}: {field}: {reason}")
    }
}

fn lines(refusals: &[ObjectRefusal]) -> String {
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
