//! Why something cannot be had of the host, or done with it.

use std::fmt;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostError {
    /// It answered with a status that is not success.
    Failed {
        /// As the ABI names it.
        call: &'static str,
        /// As the ABI numbers it; any number may come.
        status: u32,
    },
    /// It said success, and gave what the ABI does not allow.
    Malformed {
        /// As the ABI names it.
        call: &'static str,
    },
    /// It called while another call of its was under way.
    Busy,
    /// It called for a request, or a plugin, of which it never told.
    Stranger,
    /// A rule would write a header that is longer than one may be.
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

/// The statuses of proxy-wasm's C++ host, which are more than the SDKs know.
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
