//! `delegate`: merges a root's rule with a rule of the VirtualService that it delegates to. The same as Istio's
//! `mergeHTTPRoute`: the delegate's fields take precedence, the root's fill the gaps, and a rule whose conditions are
//! not within the root's is left out.

use super::limits::MATCHES;
use super::{Problem, ProblemCode, Problems, rule};
use crate::config::{Destination, HttpMatch, HttpRoute, HttpRouteDestination, StringMatch};
use crate::rules::RuleOrigin;

/// A delegate's rule under its root.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The rule as it runs.
    pub route: HttpRoute,
    /// Where each of its blocks was written: the place in the delegate's rule, or in the root's if that has none.
    pub places: Vec<usize>,
}

/// Merges both; none if a block of the delegate's rule is not within any of the root's.
#[must_use]
pub fn merge(root: &HttpRoute, own: &HttpRoute) -> Option<Merged> {
    let (blocks, places) = merge_blocks(&root.r#match, &own.r#match)?;
    let name = joined(root.name.as_deref(), own.name.as_deref());
    let (own, mut root) = (own.clone(), root.clone());
    if own.redirect.is_some() || own.direct_response.is_some() {
        // Answers without an upstream do not need them, and may not have them.
        (root.rewrite, root.fault) = (None, None);
    }
    let route = HttpRoute {
        name,
        r#match: blocks,
        rewrite: own.rewrite.or(root.rewrite),
        direct_response: own.direct_response.or(root.direct_response),
        timeout: own.timeout.or(root.timeout),
        retries: own.retries.or(root.retries),
        fault: own.fault.or(root.fault),
        mirror: own.mirror.or(root.mirror),
        mirror_percent: own.mirror_percent.or(root.mirror_percent),
        mirror_percent_snake: own.mirror_percent_snake.or(root.mirror_percent_snake),
        mirror_percentage: own.mirror_percentage.or(root.mirror_percentage),
        mirrors: if own.mirrors.is_empty() {
            root.mirrors
        } else {
            own.mirrors
        },
        cors_policy: own.cors_policy.or(root.cors_policy),
        headers: own.headers.or(root.headers),
        route: own.route,
        redirect: own.redirect,
        delegate: own.delegate,
    };
    Some(Merged { route, places })
}

/// What is wrong with a root's rule, whatever it delegates to.
#[must_use]
pub fn check_root(root: &HttpRoute) -> Vec<Problem> {
    let mut problems = Problems::default();
    for (field, present) in [
        ("route", !root.route.is_empty()),
        ("redirect", root.redirect.is_some()),
        ("directResponse", root.direct_response.is_some()),
    ] {
        if present {
            problems.refuse(
                ProblemCode::AmbiguousAction,
                field,
                "a rule that delegates has no action of its own",
            );
        }
    }
    let name = root
        .delegate
        .as_ref()
        .and_then(|delegate| delegate.name.as_deref());
    if name.unwrap_or_default().is_empty() {
        problems.refuse(ProblemCode::BadDelegate, "delegate.name", "a name is required");
    }
    // The rest is checked like in any other rule.
    let destination = Destination {
        host: "delegate".to_owned(),
        ..Destination::default()
    };
    let probe = HttpRoute {
        route: vec![HttpRouteDestination {
            destination,
            ..HttpRouteDestination::default()
        }],
        redirect: None,
        direct_response: None,
        delegate: None,
        ..root.clone()
    };
    let blocks: Vec<usize> = (0..probe.r#match.len()).collect();
    let others = match rule(RuleOrigin::default(), &probe, &blocks, &mut |_| String::new()) {
        Ok((_, problems)) | Err(problems) => problems,
    };
    problems.0.into_iter().chain(others).collect()
}

fn merge_blocks(root: &[HttpMatch], own: &[HttpMatch]) -> Option<(Vec<HttpMatch>, Vec<usize>)> {
    if root.is_empty() || own.is_empty() {
        let blocks = if own.is_empty() { root } else { own };
        return Some((blocks.to_vec(), (0..blocks.len()).collect()));
    }
    let mut merged = Vec::new();
    for (at, own) in own.iter().enumerate() {
        let before = merged.len();
        let within = root.iter().filter(|root| !conflict(root, own));
        merged.extend(within.map(|root| (merge_block(root, own), at)));
        if merged.len() == before {
            return None;
        }
        // More are rejected.
        if merged.len() > MATCHES {
            break;
        }
    }
    Some(merged.into_iter().unzip())
}

fn merge_block(root: &HttpMatch, own: &HttpMatch) -> HttpMatch {
    let (root, mut merged) = (root.clone(), own.clone());
    merged.name = joined(root.name.as_deref(), own.name.as_deref());
    merged.uri = merged.uri.or(root.uri);
    merged.scheme = merged.scheme.or(root.scheme);
    merged.method = merged.method.or(root.method);
    merged.authority = merged.authority.or(root.authority);
    merged.port = merged.port.or(root.port);
    merged.source_namespace = merged.source_namespace.or(root.source_namespace);
    merged.stat_prefix = merged.stat_prefix.or(root.stat_prefix);
    if merged.gateways.is_empty() {
        merged.gateways = root.gateways;
    }
    for (label, value) in root.source_labels {
        merged.source_labels.entry(label).or_insert(value);
    }
    for (own, root) in [
        (&mut merged.headers, root.headers),
        (&mut merged.without_headers, root.without_headers),
        (&mut merged.query_params, root.query_params),
    ] {
        for (name, condition) in root {
            own.entry(name).or_insert(condition);
        }
    }
    merged
}

fn joined(root: Option<&str>, own: Option<&str>) -> Option<String> {
    let given = [root, own].into_iter().flatten().filter(|name| !name.is_empty());
    let name = given.collect::<Vec<_>>().join("-");
    (!name.is_empty()).then_some(name)
}

/// Whether the block of a delegate's rule is not within the root's.
fn conflict(root: &HttpMatch, own: &HttpMatch) -> bool {
    let (theirs, mine) = (conditions(root), conditions(own));
    let strings = mine.iter().any(|(field, own)| {
        let root = theirs.iter().find(|(name, _)| name == field);
        root.is_some_and(|(_, root)| outside(*root, *own))
    });
    let ports = root.port.zip(own.port).is_some_and(|(root, own)| root != own);
    let namespaces = root.source_namespace.is_some() && root.source_namespace != own.source_namespace;
    let labels = own.source_labels.iter().any(|(label, value)| {
        let root = root.source_labels.get(label);
        root.is_some_and(|root| root != value)
    });
    let gateways = !root.gateways.is_empty() && own.gateways.iter().any(|name| !root.gateways.contains(name));
    strings || ports || namespaces || labels || gateways || root.ignore_uri_case != own.ignore_uri_case
}

/// All conditions of a block on strings, by field.
fn conditions(block: &HttpMatch) -> Vec<(String, Option<&StringMatch>)> {
    let fields = [
        ("uri", block.uri.as_ref()),
        ("scheme", block.scheme.as_deref()),
        ("method", block.method.as_deref()),
        ("authority", block.authority.as_deref()),
    ];
    let mut all: Vec<_> = fields
        .into_iter()
        .filter(|(_, condition)| condition.is_some())
        .map(|(field, condition)| (field.to_owned(), condition))
        .collect();
    for (field, map) in [
        ("headers", &block.headers),
        ("withoutHeaders", &block.without_headers),
        ("queryParams", &block.query_params),
    ] {
        all.extend(
            map.iter()
                .map(|(name, condition)| (format!("{field}[{name}]"), condition.as_ref())),
        );
    }
    all
}

/// Whether `own` lets something through that `root` does not, as far as that can be decided: for regexes, it cannot.
/// None means no condition.
fn outside(root: Option<&StringMatch>, own: Option<&StringMatch>) -> bool {
    let (Some(root), Some(own)) = (root, own) else {
        return false;
    };
    match (&root.exact, &root.prefix, &own.exact, &own.prefix) {
        (Some(exact), None, Some(own), None) => own != exact,
        (None, Some(prefix), Some(own), None) | (None, Some(prefix), None, Some(own)) => {
            !own.starts_with(prefix.as_str())
        }
        _ => true,
    }
}

#[cfg(test)]
#[path = "delegate/tests.rs"]
mod tests;
