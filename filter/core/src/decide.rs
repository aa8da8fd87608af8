//! Decides about a request with the table.

use crate::cors::{CrossOrigin, Policy};
use crate::decision::{Decision, Matched, Mirrors, NotFound, Outcome, Route};
use crate::draw::Draw;
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
    /// Decides about a request that arrived on a port. `draw` returns random numbers in [0, 1), at most one for each
    /// kind of [`Draw`].
    pub fn decide(&self, port: u16, request: &impl Request, draw: impl FnMut(Draw) -> f64) -> Decision<'_> {
        self.decide_under(port, port, request, draw)
    }

    /// The same with the hosts of one port, for requests that arrived on another.
    pub fn decide_under(
        &self,
        hosts: u16,
        port: u16,
        request: &impl Request,
        draw: impl FnMut(Draw) -> f64,
    ) -> Decision<'_> {
        if !self.is_complete() {
            return Outcome::NotReady.into();
        }
        self.regexes.renew();
        let decided = self.decide_by_host(hosts, port, request, draw);
        decided.unwrap_or_else(|undecided| Outcome::from(undecided).into())
    }

    fn decide_by_host(
        &self,
        hosts: u16,
        port: u16,
        request: &impl Request,
        draw: impl FnMut(Draw) -> f64,
    ) -> Result<Decision<'_>, Undecided> {
        let Some(host) = self.host(hosts, request.authority())? else {
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
            // CONNECT has no path, and tunnels to upstreams are not supported.
            ArchivedAction::Route(_) if !request.path().starts_with(b"/") => {
                return Ok(Outcome::NotFound(NotFound::Rule).into());
            }
            ArchivedAction::Route(action) => route(action, uri, request, draw, &self.regexes)?,
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

/// Routes to an upstream, unless a fault or a pre-flight ends the request here, in the order of Istio's filters in
/// Envoy. `uri` is the condition that matched the path.
fn route<'t>(
    action: &'t ArchivedRouteAction,
    uri: Option<ValueMatcher<'_>>,
    request: &impl Request,
    mut draw: impl FnMut(Draw) -> f64,
    regexes: &Regexes,
) -> Result<Outcome<'t>, Undecided> {
    let destination = choose(&action.destinations, &mut draw).ok_or(Undecided::Corrupt)?;
    let mut delay_ms = None;
    if let Some(fault) = action.fault.as_deref() {
        let injected = fault.inject(&mut draw);
        delay_ms = injected.delay_ms;
        if let Some(status) = injected.abort {
            return Ok(Outcome::Abort {
                status,
                delay_ms,
                response: &destination.response,
                fault,
            });
        }
    }
    let cross_origin = |config| Policy { config, regexes }.apply(request);
    let cors = match action.cors.as_deref().map(cross_origin).transpose()?.flatten() {
        Some(CrossOrigin::Preflight(headers)) => return Ok(Outcome::Preflight(headers)),
        Some(CrossOrigin::Simple(headers)) => headers,
        None => Vec::new(),
    };
    let rewritten = |rewrite| path::rewrite(rewrite, uri, request.path(), regexes);
    let path = action.path.as_ref().map(rewritten).transpose()?;
    Ok(Outcome::Route(Route {
        destination,
        destinations: &action.destinations,
        path: path.filter(|path| path != request.path()),
        timeout_ms: action.timeout_ms.as_ref().map(|ms| ms.to_native()),
        retries: action.retries.as_deref(),
        mirrors: (!action.mirrors.is_empty()).then(|| Mirrors {
            key: archived_mirrors_key(&action.mirrors),
            list: &action.mirrors,
        }),
        delay_ms,
        fault: action.fault.as_deref(),
        cors,
    }))
}

/// Chooses by cumulative weight, in declared order.
fn choose<'t>(
    destinations: &'t [ArchivedWeightedCluster],
    draw: &mut impl FnMut(Draw) -> f64,
) -> Option<&'t ArchivedWeightedCluster> {
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
    let mut left = draw(Draw::Destination) * total;
    for destination in destinations {
        left -= f64::from(destination.weight.to_native());
        if left < 0.0 {
            return Some(destination);
        }
    }
    // Only reached by rounding.
    destinations.last()
}

#[cfg(test)]
#[path = "decide/tests.rs"]
mod tests;
