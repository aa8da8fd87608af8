//! Why a call to the host failed.

use std::fmt;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostError {
    /// It returned a status other than success.
    Failed {
        /// Its name in the ABI.
        call: &'static str,
        /// The status in the ABI; it may be any number.
        status: u32,
    },
    /// It reported success, but returned a value that the ABI does not allow.
    Malformed {
        /// Its name in the ABI.
        call: &'static str,
    },
    /// It called the filter during another call.
    Busy,
    /// It named a request or plugin that it never created.
    Stranger,
    /// A rule would write a header that is too long.
    TooLong,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { call, status } => match name(*status) {
                Some(name) => write!(f, "{call}: {name}"),
                None => write!(f, "{call}: status {status}"),
            },
            Self::Malformed { call } => write!(f, "{call}: malformed"),
            Self::Busy => f.write_str("the host called during another call"),
            Self::Stranger => f.write_str("the host never told of it"),
            Self::TooLong => f.write_str("a header that a rule writes is too long"),
        }
    }
}

/// The statuses of proxy-wasm's C++ host, which has more than the SDKs know.
const NAMES: [&str; 13] = [
    "Ok",
    "NotFound",
    "BadArgument",
    "SerializationFailure",
    "ParseFailure",
    "BadExpression",
    "InvalidMemoryAccess",
    "Empty",
    "CasMismatch",
    "ResultMismatch",
    "InternalFailure",
    "BrokenConnection",
    "Unimplemented",
];

fn name(status: u32) -> Option<&'static str> {
    NAMES.get(usize::try_from(status).ok()?).copied()
}
