//! What becomes of a request: data that the filter applies and `explain` prints.

use crate::cors::CrossOrigin;
use crate::table::{
    Action, DirectAction, Fault, HeaderMutations, Mirror, Origin, Retries, RouteAction, RouteTable, Rule,
    WeightedCluster,
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
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'t> {
    /// None if no rule did.
    pub matched: Option<Matched<'t>>,
    /// What happens.
    pub outcome: Outcome<'t>,
}

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched<'t> {
    /// Where it was written.
    pub origin: &'t Origin,
    /// Which of its `match` blocks; none if it has none.
    pub block: Option<usize>,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
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
        response: Option<&'t HeaderMutations>,
    },
    /// It is answered at once.
    Direct(&'t DirectAction),
    /// 404.
    NotFound(NotFound),
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
#[derive(Clone, Debug, PartialEq)]
pub struct Route<'t> {
    /// The destination that the weights chose.
    pub destination: &'t WeightedCluster,
    /// All of them.
    pub destinations: &'t [WeightedCluster],
    /// The path that the upstream sees, if it is another.
    pub path: Option<Vec<u8>>,
    /// The whole request's time in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Other than the default.
    pub retries: Option<&'t Retries>,
    /// Who gets a copy.
    pub mirrors: Option<Mirrors<'t>>,
    /// Failures on purpose, before everything else.
    pub fault: Option<&'t Fault>,
    /// For a cross-origin request: it is answered at once, or its answer is marked.
    pub cors: Option<CrossOrigin>,
}

/// Who gets a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mirrors<'t> {
    /// The name of this list among the port's native routes.
    pub key: &'t str,
    /// The clusters and their shares.
    pub list: &'t [Mirror],
}

impl RouteTable {
    /// Decides. `draw` gives the random number in [0, 1) of a weighted choice, and is called at most once.
    pub fn decide(&self, request: &impl Request, draw: impl FnOnce() -> f64) -> Decision<'_> {
        let Some(host) = self.host(request.authority()) else {
            return Decision {
                matched: None,
                outcome: Outcome::NotFound(NotFound::Host),
            };
        };
        if host.https_redirect {
            return Decision {
                matched: None,
                outcome: redirect::to_https(request, self.port),
            };
        }
        let found = host
            .candidates(request.path())
            .find(|(_, block)| block.is_none_or(|block| block.holds(request)));
        let Some((rule, block)) = found else {
            return Decision {
                matched: None,
                outcome: Outcome::NotFound(NotFound::Rule),
            };
        };
        let outcome = match &rule.config.action {
            Action::Route(action) => route(rule, action, block, request, draw).map(Outcome::Route),
            Action::Redirect(action) => Some(redirect::outcome(action, block, request, self.port)),
            Action::Direct(action) => Some(Outcome::Direct(action)),
        };
        Decision {
            matched: Some(Matched {
                origin: &rule.config.origin,
                block: block.map(|block| block.index),
            }),
            outcome: outcome.unwrap_or(Outcome::NotFound(NotFound::Rule)),
        }
    }
}

fn route<'t>(
    rule: &'t Rule,
    action: &'t RouteAction,
    block: Option<&'t crate::table::Match>,
    request: &impl Request,
    draw: impl FnOnce() -> f64,
) -> Option<Route<'t>> {
    let path = action
        .path
        .as_ref()
        .map(|rewrite| path::rewrite(rewrite, rule.rewrite.as_ref(), block, request.path()));
    let extras = rule.extras.as_deref();
    Some(Route {
        destination: choose(&action.destinations, draw)?,
        destinations: &action.destinations,
        path: path.filter(|path| path != request.path()),
        timeout_ms: action.timeout_ms,
        retries: action.retries.as_ref(),
        mirrors: extras
            .and_then(|extras| extras.mirrors.as_deref())
            .map(|key| Mirrors {
                key,
                list: &action.mirrors,
            }),
        fault: action.fault.as_deref(),
        cors: extras.and_then(|extras| extras.cors.as_ref()?.apply(request)),
    })
}

/// Cumulative in declared order.
fn choose(destinations: &[WeightedCluster], draw: impl FnOnce() -> f64) -> Option<&WeightedCluster> {
    let [first, rest @ ..] = destinations else {
        return None;
    };
    if rest.is_empty() {
        return Some(first);
    }
    let total: f64 = destinations
        .iter()
        .map(|destination| f64::from(destination.weight))
        .sum();
    let mut left = draw() * total;
    for destination in destinations {
        left -= f64::from(destination.weight);
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
