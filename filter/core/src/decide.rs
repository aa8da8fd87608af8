//! Decides on a request by the table.

use crate::cors::Policy;
use crate::decision::{Decision, Matched, Mirrors, NotFound, Outcome, Route};
use crate::matcher::ValueMatcher;
use crate::regex::Regexes;
use crate::request::Request;
use crate::rules::{
    ArchivedAction, ArchivedMatchConfig, ArchivedRouteAction, ArchivedWeightedCluster, archived_mirrors_key,
};
use crate::table::RouteTable;
use crate::undecided::Undecided;
use crate::{path, redirect};

impl RouteTable {
    /// Decides on a request that came in on a port. `draw` gives the random number in [0, 1) of a weighted choice, and
    /// is called at most once.
    pub fn decide(&self, port: u16, request: &impl Request, draw: impl FnOnce() -> f64) -> Decision<'_> {
        if !self.is_complete() {
            return Outcome::NotReady.into();
        }
        self.regexes.renew();
        let decided = self.decide_by_host(port, request, draw);
        decided.unwrap_or_else(|undecided| Outcome::from(undecided).into())
    }

    fn decide_by_host(
        &self,
        port: u16,
        request: &impl Request,
        draw: impl FnOnce() -> f64,
    ) -> Result<Decision<'_>, Undecided> {
        let Some(host) = self.host(port, request.authority())? else {
            return Ok(Outcome::NotFound(NotFound::Host).into());
        };
        if host.https_redirect {
            return Ok(redirect::to_https(request, port)?.into());
        }
        let Some((rule, block)) = host.take(request, &self.regexes)? else {
            return Ok(Outcome::NotFound(NotFound::Rule).into());
        };
        let uri = block.and_then(ArchivedMatchConfig::wanted_uri);
        let outcome = match &rule.action {
            ArchivedAction::Route(action) => {
                Outcome::Route(route(action, uri, request, draw, &self.regexes)?)
            }
            ArchivedAction::Redirect(action) => redirect::outcome(action, uri, request, port)?,
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

/// `uri` is the condition by which the path was matched.
fn route<'t>(
    action: &'t ArchivedRouteAction,
    uri: Option<ValueMatcher<'_>>,
    request: &impl Request,
    draw: impl FnOnce() -> f64,
    regexes: &Regexes,
) -> Result<Route<'t>, Undecided> {
    let rewritten = |rewrite| path::rewrite(rewrite, uri, request.path(), regexes);
    let path = action.path.as_ref().map(rewritten).transpose()?;
    let cross_origin = |config| Policy { config, regexes }.apply(request);
    let cors = action.cors.as_deref().map(cross_origin).transpose()?;
    Ok(Route {
        destination: choose(&action.destinations, draw).ok_or(Undecided::Corrupt)?,
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
#[path = "decide/tests.rs"]
mod tests;
