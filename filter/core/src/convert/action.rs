//! `route`, `redirect` and `directResponse` with what belongs to them.

use super::headers::{Operations, check_authority, convert as operations, merge_only, merge_several};
use super::{ProblemCode, Problems, answer, cors, fault, limits, mirror, retry, rewrite};
use crate::config::{Destination, Headers, HttpRoute, HttpRouteDestination};
use crate::rules::{Action, HeaderMutations, RouteAction, WeightedCluster};

/// Names a destination's cluster.
type Cluster<'c> = dyn FnMut(&Destination) -> String + 'c;

pub(super) fn convert(
    route: &HttpRoute,
    cluster: &mut Cluster<'_>,
    problems: &mut Problems,
) -> Option<Action> {
    match (&route.redirect, &route.direct_response, route.route.is_empty()) {
        (None, None, false) => {
            route_action(route, cluster, problems).map(|route| Action::Route(Box::new(route)))
        }
        (Some(redirect), None, true) => {
            let response = of_answer(route, problems);
            answer::redirect(redirect, &route.r#match, response, problems)
                .map(|to| Action::Redirect(Box::new(to)))
        }
        (None, Some(direct), true) => {
            let response = of_answer(route, problems);
            answer::direct(direct, response, problems).map(Action::Direct)
        }
        (None, None, true) => {
            let message = "one of route, redirect, directResponse is required";
            problems.refuse(ProblemCode::NoAction, "route", message);
            None
        }
        _ => {
            let message = "only one of route, redirect, directResponse may be given";
            problems.refuse(ProblemCode::AmbiguousAction, "route", message);
            None
        }
    }
}

/// The header operations of an answer without an upstream. Fields that need one are rejected if Istio rejects them;
/// otherwise, they have no effect, as in Envoy.
fn of_answer(route: &HttpRoute, problems: &mut Problems) -> HeaderMutations {
    for (field, present) in [
        ("fault", route.fault.is_some()),
        ("rewrite", route.rewrite.is_some()),
    ] {
        if present {
            let message = "neither redirect nor directResponse can have one";
            problems.refuse(ProblemCode::AmbiguousAction, field, message);
        }
    }
    let request = route
        .headers
        .as_ref()
        .is_some_and(|headers| headers.request.is_some());
    for (field, present) in [
        ("corsPolicy", route.cors_policy.is_some()),
        ("mirror", route.mirror.is_some()),
        ("mirrors", !route.mirrors.is_empty()),
        ("timeout", route.timeout.is_some()),
        ("retries", route.retries.is_some()),
        ("headers.request", request),
    ] {
        if present {
            let message = "the request is answered without an upstream, so this has no effect";
            problems.warn(ProblemCode::NoEffect, field, message);
        }
    }
    both(route.headers.as_deref(), "headers", problems).1.mutations
}

fn route_action(
    route: &HttpRoute,
    cluster: &mut Cluster<'_>,
    problems: &mut Problems,
) -> Option<RouteAction> {
    let timeout = route.timeout.as_deref();
    let retries = route.retries.as_ref();
    Some(RouteAction {
        destinations: destinations(route, cluster, problems)?,
        path: route.rewrite.as_ref().and_then(|to| rewrite::path(to, problems)),
        timeout_ms: timeout.and_then(|text| retry::duration(text, "timeout", problems)),
        retries: retries.and_then(|retries| retry::convert(retries, problems)),
        mirrors: mirror::convert(route, cluster, problems),
        fault: route
            .fault
            .as_ref()
            .and_then(|fault| fault::convert(fault, problems)),
        cors: route
            .cors_policy
            .as_ref()
            .map(|policy| cors::convert(policy, problems)),
    })
}

fn destinations(
    route: &HttpRoute,
    cluster: &mut Cluster<'_>,
    problems: &mut Problems,
) -> Option<Vec<WeightedCluster>> {
    let single = route.route.len() == 1;
    let merge = if single { merge_only } else { merge_several };
    let (rule_request, rule_response) = both(route.headers.as_deref(), "headers", problems);
    limits::count(route.route.len(), limits::DESTINATIONS, "route", problems);
    let bytes = rule_request.mutations.bytes() + rule_response.mutations.bytes();
    let repeated = bytes.saturating_mul(route.route.len());
    if route.route.len() > limits::DESTINATIONS
        || !limits::bytes(repeated, limits::REPEATED_HEADERS, "headers", problems)
    {
        return None;
    }
    let authority = authority(route, &rule_request, problems);
    let mut converted = Vec::with_capacity(route.route.len());
    for (at, to) in route.route.iter().enumerate() {
        let weight = weight(to, at, single, problems);
        let (request, response) = both(to.headers.as_deref(), &format!("route[{at}].headers"), problems);
        if to.destination.host.is_empty() {
            let field = format!("route[{at}].destination.host");
            problems.refuse(ProblemCode::NoDestination, field, "a destination has a host");
            continue;
        }
        if !single && weight == 0 {
            continue;
        }
        converted.push(WeightedCluster {
            cluster: cluster(&to.destination),
            weight,
            authority: authority.clone().or(request.authority),
            request: merge(&rule_request.mutations, &request.mutations),
            response: merge(&rule_response.mutations, &response.mutations),
        });
    }
    if converted.is_empty() {
        problems.refuse(ProblemCode::NoWeight, "route", "every weight is 0");
        return None;
    }
    Some(converted)
}

fn both(headers: Option<&Headers>, field: &str, problems: &mut Problems) -> (Operations, Operations) {
    let request = headers.and_then(|headers| headers.request.as_ref());
    let response = headers.and_then(|headers| headers.response.as_ref());
    (
        operations(request, &format!("{field}.request"), true, problems),
        operations(response, &format!("{field}.response"), false, problems),
    )
}

fn weight(to: &HttpRouteDestination, at: usize, single: bool, problems: &mut Problems) -> u32 {
    let weight = to.weight.unwrap_or(0);
    if weight < 0 {
        let field = format!("route[{at}].weight");
        problems.refuse(ProblemCode::BadWeight, field, format!("{weight} is negative"));
    }
    if single {
        100
    } else {
        u32::try_from(weight).unwrap_or(0)
    }
}

/// The host that the rule sets; a destination's host counts only if the rule sets none.
fn authority(route: &HttpRoute, request: &Operations, problems: &mut Problems) -> Option<String> {
    let rewrite = route
        .rewrite
        .as_ref()
        .and_then(|rewrite| rewrite.authority.clone());
    let Some(authority) = rewrite.filter(|authority| !authority.is_empty()) else {
        return request.authority.clone();
    };
    if request.authority.is_some() {
        let message = "a header operation sets the host too, so it is not clear which one is meant";
        problems.refuse(ProblemCode::AmbiguousAuthority, "rewrite.authority", message);
    }
    check_authority(&authority, "rewrite.authority", problems);
    limits::length(&authority, limits::PATH, "rewrite.authority", problems);
    Some(authority)
}
