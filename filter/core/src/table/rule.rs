//! A rule that runs, and whether a block of it takes a request.

use regex_automata::nfa::thompson::pikevm::PikeVM;

use super::extras::Extras;
use super::{Action, MatchConfig, PathRewrite, RouteAction, RuleConfig, StringMatcher, TableError};
use crate::decision::Request;
use crate::matcher::Matcher;
use crate::query;
use crate::regex::search;

#[derive(Debug)]
pub(crate) struct Rule {
    /// As it came, without the blocks: they are beside it.
    pub(crate) config: RuleConfig,
    /// Any of them; none matches every request.
    pub(crate) matches: Vec<Match>,
    pub(crate) rewrite: Option<PikeVM>,
    /// None for a plain route.
    pub(crate) extras: Option<Box<Extras>>,
}

#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) index: usize,
    pub(crate) uri: Option<Matcher>,
    pub(crate) ignore_case: bool,
    headers: Vec<(String, Matcher)>,
    without: Vec<(String, Matcher)>,
    query: Vec<(String, Matcher)>,
}

impl Rule {
    pub(super) fn compile(mut config: RuleConfig) -> Result<Self, TableError> {
        let blocks = std::mem::take(&mut config.matches);
        let matches = blocks.iter().enumerate().map(|(at, block)| {
            Match::compile(block).map_err(|error| error.within(&format!("matches[{at}]")))
        });
        let (rewrite, extras) = match &config.action {
            Action::Route(route) => (rewrite_pattern(route)?, Extras::compile(route)?),
            _ => (None, None),
        };
        Ok(Self {
            matches: matches.collect::<Result<_, _>>()?,
            rewrite,
            extras,
            config,
        })
    }
}

fn rewrite_pattern(route: &RouteAction) -> Result<Option<PikeVM>, TableError> {
    if route.destinations.is_empty() {
        return Err(TableError {
            place: "action.destinations".to_owned(),
            reason: "there is none".to_owned(),
        });
    }
    match &route.path {
        Some(PathRewrite::Regex(pattern, _)) => search(pattern).map(Some).map_err(|reason| TableError {
            place: "action.path".to_owned(),
            reason,
        }),
        _ => Ok(None),
    }
}

impl Match {
    pub(super) fn compile(config: &MatchConfig) -> Result<Self, TableError> {
        let one = |place: &str, matcher: &StringMatcher| {
            Matcher::compile(matcher).map_err(|reason| TableError {
                place: place.to_owned(),
                reason,
            })
        };
        let several = |place: &str, list: &[(String, StringMatcher)]| {
            list.iter()
                .map(|(name, matcher)| Ok((name.clone(), one(&format!("{place}[{name}]"), matcher)?)))
                .collect::<Result<Vec<_>, TableError>>()
        };
        Ok(Self {
            index: config.index,
            uri: config.uri.as_ref().map(|uri| one("uri", uri)).transpose()?,
            ignore_case: config.ignore_uri_case,
            headers: several("headers", &config.headers)?,
            without: several("without_headers", &config.without_headers)?,
            query: several("query_params", &config.query_params)?,
        })
    }

    /// Whether all conditions hold. The cheap ones come first.
    pub(crate) fn holds(&self, request: &impl Request) -> bool {
        let path = request.path();
        let value_of = |name: &String| query::param(path, name.as_bytes());
        let takes = |matcher: &Matcher, value| matcher.is_match(value, false);
        let uri = self.uri.as_ref();
        uri.is_none_or(|uri| uri.is_match(query::path_of(path), self.ignore_case))
            && (self.query.iter()).all(|(name, own)| value_of(name).is_some_and(|value| takes(own, value)))
            && (self.headers.iter()).all(|(name, own)| any_value(request, name, own))
            && !(self.without.iter()).any(|(name, own)| inverted_fails(request, name, own))
    }
}

fn any_value(request: &impl Request, name: &str, matcher: &Matcher) -> bool {
    let mut found = false;
    request.header(name, &mut |value| found |= matcher.is_match(value, false));
    found
}

/// Whether a `withoutHeaders` condition fails: some value matches. A missing header has the empty value, except
/// that it is not there for "present".
fn inverted_fails(request: &impl Request, name: &str, matcher: &Matcher) -> bool {
    let (mut present, mut matched) = (false, false);
    request.header(name, &mut |value| {
        present = true;
        matched |= matcher.is_match(value, false);
    });
    if present {
        matched
    } else {
        !matches!(matcher, Matcher::Present) && matcher.is_match(b"", false)
    }
}
