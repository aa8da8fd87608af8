//! The decision about a request: data that the filter applies and `explain` prints.

use crate::cors::Header;
use crate::rules::{
    AbortStatus, ArchivedDirectAction, ArchivedFault, ArchivedHeaderMutations, ArchivedMirror,
    ArchivedRetries, ArchivedRuleOrigin, ArchivedWeightedCluster,
};
use crate::undecided::Undecided;

/// The decision about a request, and which rule made it.
#[derive(Clone, Debug)]
pub struct Decision<'t> {
    /// None if no rule did.
    pub matched: Option<Matched<'t>>,
    /// What happens.
    pub outcome: Outcome<'t>,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug)]
pub struct Matched<'t> {
    /// Where it was written.
    pub origin: &'t ArchivedRuleOrigin,
    /// Which of its `match` blocks; none if it has none.
    pub block: Option<usize>,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Outcome<'t> {
    /// It goes to a destination.
    Route(Route<'t>),
    /// A fault ends it before anything else of its rule applies.
    Abort {
        /// What it is answered with.
        status: AbortStatus,
        /// How long it waits first, in milliseconds.
        delay_ms: Option<u64>,
        /// Header operations on the answer: those of the destination that it would have gone to.
        response: &'t ArchivedHeaderMutations,
        /// The fault as written.
        fault: &'t ArchivedFault,
    },
    /// A cross-origin pre-flight: it is answered immediately with 200 and these headers, without a delay.
    Preflight(Vec<Header>),
    /// It is sent elsewhere.
    Redirect {
        /// The status.
        status: u16,
        /// The whole URL.
        location: Vec<u8>,
        /// Header operations on the answer.
        response: Option<&'t ArchivedHeaderMutations>,
    },
    /// It is answered immediately.
    Direct(&'t ArchivedDirectAction),
    /// 404.
    NotFound(NotFound),
    /// 503: parts of the table have not arrived yet.
    NotReady,
    /// 500: what the table says about this request cannot be read.
    Corrupt,
    /// 503: its regexes need more work than allowed for one request.
    TooExpensive,
    /// 500: what it is rewritten or redirected to is longer than any request may be.
    TooLong,
}

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No virtual host matches the name.
    Host,
    /// None of its rules takes the request.
    Rule,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Route<'t> {
    /// The destination that the weights chose.
    pub destination: &'t ArchivedWeightedCluster,
    /// All destinations.
    pub destinations: &'t [ArchivedWeightedCluster],
    /// The path that the upstream sees, if it is different.
    pub path: Option<Vec<u8>>,
    /// The timeout of the whole request in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Retries, if not the default.
    pub retries: Option<&'t ArchivedRetries>,
    /// Who gets a copy.
    pub mirrors: Option<Mirrors<'t>>,
    /// How long a fault holds it, in milliseconds.
    pub delay_ms: Option<u64>,
    /// The fault as written, which may not have affected this request.
    pub fault: Option<&'t ArchivedFault>,
    /// Headers for the response to a cross-origin request.
    pub cors: Vec<Header>,
}

/// Who gets a copy.
#[derive(Clone, Debug)]
pub struct Mirrors<'t> {
    /// The name of this list among the port's native routes.
    pub key: String,
    /// The clusters and their shares.
    pub list: &'t [ArchivedMirror],
}

impl From<Undecided> for Outcome<'_> {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Corrupt => Self::Corrupt,
            Undecided::TooExpensive => Self::TooExpensive,
            Undecided::TooLong => Self::TooLong,
        }
    }
}

impl<'t> From<Outcome<'t>> for Decision<'t> {
    /// A decision without a rule.
    fn from(outcome: Outcome<'t>) -> Self {
        Self {
            matched: None,
            outcome,
        }
    }
}
