//! What becomes of a request: data that the filter applies and `explain` prints.

use crate::cors::{CrossOrigin, Policy};
use crate::matcher::Wanted;
use crate::regex::Regexes;
use crate::table::{
    ArchivedAction, ArchivedDirectAction, ArchivedFault, ArchivedHeaderMutations, ArchivedMatchConfig,
    ArchivedMirror, ArchivedOrigin, ArchivedRetries, ArchivedRouteAction, ArchivedWeightedCluster, Corrupt,
    RouteTable, archived_mirrors_key,
};
use crate::{path, redirect};

/// What a decision may ask of a request. Headers are asked for only if a rule of the host needs them.
pub trait Request {
    /// `:authority`.
    fn authority(&self) -> &[u8];
    /// `:path`, query included.
    fn path(&self) -> &[u8];
    /// Calls `each` with every value of a header (`:method` and `:scheme` too); the name is lower-case.
    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8]));
}

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
    pub origin: &'t ArchivedOrigin,
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

impl RouteTable {
    /// Decides on a request that came in on a port. `draw` gives the random number in [0, 1) of a weighted choice, and
    /// is called at most once.
    pub fn decide(&self, port: u16, request: &impl Request, draw: impl FnOnce() -> f64) -> Decision<'_> {
        if !self.is_complete() {
            return Outcome::NotReady.into();
        }
        let decided = self.decide_by_host(port, request, draw);
        decided.unwrap_or_else(|Corrupt| Outcome::Corrupt.into())
    }

    fn decide_by_host(
        &self,
        port: u16,
        request: &impl Request,
        draw: impl FnOnce() -> f64,
    ) -> Result<Decision<'_>, Corrupt> {
        let Some(host) = self.host(port, request.authority())? else {
            return Ok(Outcome::NotFound(NotFound::Host).into());
        };
        if host.https_redirect {
            return Ok(redirect::to_https(request, port).into());
        }
        let Some((rule, block)) = host.take(request, &self.regexes)? else {
            return Ok(Outcome::NotFound(NotFound::Rule).into());
        };
        let uri = block.and_then(ArchivedMatchConfig::wanted_uri);
        let outcome = match &rule.action {
            ArchivedAction::Route(action) => {
                Outcome::Route(route(action, uri, request, draw, &self.regexes)?)
            }
            ArchivedAction::Redirect(action) => redirect::outcome(action, uri, request, port),
            ArchivedAction::Direct(action) => Outcome::Direct(action),
        };
        Ok(Decision {
            matched: Some(Matched {
                origin: &rule.origin,
                block: block.map(|block| block.index.to_native() as usize),
            }),
            outcome,
        })
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

/// `uri` is the condition by which the path was matched.
fn route<'t>(
    action: &'t ArchivedRouteAction,
    uri: Option<Wanted<'_>>,
    request: &impl Request,
    draw: impl FnOnce() -> f64,
    regexes: &Regexes,
) -> Result<Route<'t>, Corrupt> {
    let rewritten = |rewrite| path::rewrite(rewrite, uri, request.path(), regexes);
    let path = action.path.as_ref().map(rewritten).transpose()?;
    let cross_origin = |config| Policy { config, regexes }.apply(request);
    let cors = action.cors.as_deref().map(cross_origin).transpose()?;
    Ok(Route {
        destination: choose(&action.destinations, draw).ok_or(Corrupt)?,
        destinations: &action.destinations,
        path: path.filter(|path| path != request.path()),
        timeout_ms: action.timeout_ms.as_ref().map(|ms| ms.to_native()),
        retries: action.retries.as_deref(),
        mirrors: (!action.mirrors.is_empty()).then(|| Mirrors {
            key: archived_mirrors_key(&action.mirrors),
            list: &action.mirrors,
        }),
        fault: action.fault.as_deref(),
        cors: cors.flatten(),
    })
}

/// Cumulative in declared order.
fn choose(
    destinations: &[ArchivedWeightedCluster],
    draw: impl FnOnce() -> f64,
) -> Option<&ArchivedWeightedCluster> {
    let [first, rest @ ..] = destinations else {
        return None;
    };
    if rest.is_empty() {
        return Some(first);
    }
    let total: f64 = destinations
        .iter()
        .map(|destination| f64::from(destination.weight.to_native()))
        .sum();
    let mut left = draw() * total;
    for destination in destinations {
        left -= f64::from(destination.weight.to_native());
        if left < 0.0 {
            return Some(destination);
        }
    }
    // Only rounding leads here.
    destinations.last()
}

#[cfg(test)]
#[path = "decision/tests.rs"]
mod tests;
