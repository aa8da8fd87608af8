//! What becomes of a request: data that the filter applies and `explain` prints.

use crate::cors::Header;
use crate::rules::{
    AbortStatus, ArchivedDirectAction, ArchivedFault, ArchivedHeaderMutations, ArchivedMirror,
    ArchivedRetries, ArchivedRuleOrigin, ArchivedWeightedCluster,
};
use crate::undecided::Undecided;

/// What becomes of a request, and which rule said so.
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
    /// A fault ends it before anything else of its rule has a say.
    Abort {
        /// What it is answered with.
        status: AbortStatus,
        /// How long it waits first, in milliseconds.
        delay_ms: Option<u64>,
        /// Header operations on the answer: those of the destination that it would have gone to.
        response: &'t ArchivedHeaderMutations,
        /// As it is written.
        fault: &'t ArchivedFault,
    },
    /// A cross-origin pre-flight: it is answered at once with 200 and these headers, and no delay concerns it.
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
    /// It is answered at once.
    Direct(&'t ArchivedDirectAction),
    /// 404.
    NotFound(NotFound),
    /// 503: parts of the table are not there yet.
    NotReady,
    /// 500: what the table says of this request cannot be read.
    Corrupt,
    /// 503: its regexes ask for more work than one request may cost.
    TooExpensive,
    /// 500: what it is rewritten or redirected to is longer than any request may be.
    TooLong,
}

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No virtual host takes the name.
    Host,
    /// None of its rules takes the request.
    Rule,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Route<'t> {
    /// The destination that the weights chose.
    pub destination: &'t ArchivedWeightedCluster,
    /// All of them.
    pub destinations: &'t [ArchivedWeightedCluster],
    /// The path that the upstream sees, if it is another.
    pub path: Option<Vec<u8>>,
    /// The whole request's time in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Other than the default.
    pub retries: Option<&'t ArchivedRetries>,
    /// Who gets a copy.
    pub mirrors: Option<Mirrors<'t>>,
    /// How long a fault holds it, in milliseconds.
    pub delay_ms: Option<u64>,
    /// Failures on purpose as they are written, of which this request may have met none.
    pub fault: Option<&'t ArchivedFault>,
    /// Set on what comes back, for a cross-origin request.
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
    /// No rule had a say in it.
    fn from(outcome: Outcome<'t>) -> Self {
        Self {
            matched: None,
            outcome,
        }
    }
}
