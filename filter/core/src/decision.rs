//! What becomes of a request: data that the filter applies and `explain` prints.

use crate::cors::CrossOrigin;
use crate::rules::{
    ArchivedDirectAction, ArchivedFault, ArchivedHeaderMutations, ArchivedMirror, ArchivedRetries,
    ArchivedRuleOrigin, ArchivedWeightedCluster,
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
    /// Failures on purpose, before everything else.
    pub fault: Option<&'t ArchivedFault>,
    /// For a cross-origin request: it is answered at once, or its answer is marked.
    pub cors: Option<CrossOrigin>,
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
