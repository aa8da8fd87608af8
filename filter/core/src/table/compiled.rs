//! A table that runs.

use std::collections::HashMap;

use regex_automata::meta::Regex;
use thiserror::Error;

use super::extras::Extras;
use super::{
    Action, MatchConfig, PathRewrite, RouteAction, RuleConfig, StringMatcher, TableConfig, VirtualHostConfig,
};
use crate::decision::Request;
use crate::host;
use crate::matcher::{Matcher, search};
use crate::query;

/// A table that cannot run, and where it is wrong.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{place}: {reason}")]
pub struct TableError {
    /// `virtual_hosts[0].rules[1].matches[0].uri`.
    pub place: String,
    /// For people.
    pub reason: String,
}

/// The routes of one port, compiled.
#[derive(Debug, Default)]
pub struct RouteTable {
    pub(crate) port: u16,
    exact: HashMap<Box<[u8]>, usize>,
    /// By suffix, with its dot: `.example.com`.
    wildcards: HashMap<Box<[u8]>, usize>,
    any: Option<usize>,
    hosts: Vec<VirtualHost>,
}

#[derive(Debug)]
pub(crate) struct VirtualHost {
    pub(crate) https_redirect: bool,
    pub(crate) rules: Vec<Rule>,
    index: PathIndex,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) config: RuleConfig,
    pub(crate) matches: Vec<Match>,
    pub(crate) rewrite: Option<Regex>,
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

/// A rule and, unless the rule takes everything, the block of it.
pub(crate) type Candidate = (usize, Option<usize>);

/// Which blocks can match a path at all. It only narrows: every candidate is still tried in full, in order.
#[derive(Debug, Default)]
struct PathIndex {
    exact: HashMap<Box<[u8]>, Vec<Candidate>>,
    others: Vec<Candidate>,
}

impl RouteTable {
    /// Compiles a table.
    ///
    /// # Errors
    /// The first pattern that is not valid, or the first domain that is there twice.
    pub fn compile(config: &TableConfig) -> Result<Self, TableError> {
        let mut table = Self {
            port: config.port,
            ..Self::default()
        };
        for (at, virtual_host) in config.virtual_hosts.iter().enumerate() {
            for domain in &virtual_host.domains {
                if !table.add_domain(domain, at) {
                    let place = format!("virtual_hosts[{at}].domains");
                    return Err(TableError {
                        place,
                        reason: format!("{domain} is there twice"),
                    });
                }
            }
            let host = VirtualHost::compile(virtual_host).map_err(|error| TableError {
                place: format!("virtual_hosts[{at}].{}", error.place),
                ..error
            })?;
            table.hosts.push(host);
        }
        Ok(table)
    }

    fn add_domain(&mut self, domain: &str, at: usize) -> bool {
        match domain.strip_prefix('*') {
            Some("") => self.any.replace(at).is_none(),
            Some(suffix) => self.wildcards.insert(suffix.as_bytes().into(), at).is_none(),
            None => self.exact.insert(domain.as_bytes().into(), at).is_none(),
        }
    }

    /// Exact, then the longest wildcard suffix, then `*`.
    pub(crate) fn host(&self, authority: &[u8]) -> Option<&VirtualHost> {
        let name = host::normalize(authority);
        let at = self
            .exact
            .get(name.as_slice())
            .copied()
            .or_else(|| self.wildcard(&name))
            .or(self.any)?;
        self.hosts.get(at)
    }

    fn wildcard(&self, name: &[u8]) -> Option<usize> {
        if self.wildcards.is_empty() {
            return None;
        }
        // From the left, so that the longest suffix comes first; never the whole name.
        let dots = name.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'.');
        dots.filter_map(|(at, _)| name.get(at..))
            .find_map(|suffix| self.wildcards.get(suffix).copied())
    }
}

impl VirtualHost {
    fn compile(config: &VirtualHostConfig) -> Result<Self, TableError> {
        let mut rules = Vec::with_capacity(config.rules.len());
        let mut index = PathIndex::default();
        for (at, rule) in config.rules.iter().enumerate() {
            let rule = Rule::compile(rule).map_err(|error| TableError {
                place: format!("rules[{at}].{}", error.place),
                ..error
            })?;
            index.add(at, &rule);
            rules.push(rule);
        }
        Ok(Self {
            https_redirect: config.https_redirect,
            rules,
            index,
        })
    }

    /// The blocks that may match `path` (with its query), in declared order.
    pub(crate) fn candidates(&self, path: &[u8]) -> impl Iterator<Item = (&Rule, Option<&Match>)> {
        let exact = self
            .index
            .exact
            .get(query::path_of(path))
            .map(Vec::as_slice)
            .unwrap_or_default();
        merge(exact, &self.index.others).filter_map(|(rule, block)| {
            let rule = self.rules.get(rule)?;
            Some((rule, block.and_then(|block| rule.matches.get(block))))
        })
    }
}

impl PathIndex {
    fn add(&mut self, at: usize, rule: &Rule) {
        if rule.matches.is_empty() {
            self.others.push((at, None));
        }
        for (block, condition) in rule.matches.iter().enumerate() {
            match &condition.uri {
                Some(Matcher::Exact(path)) if !condition.ignore_case => {
                    self.exact
                        .entry(path.clone())
                        .or_default()
                        .push((at, Some(block)));
                }
                _ => self.others.push((at, Some(block))),
            }
        }
    }
}

/// Two ordered lists as one.
fn merge<'a>(a: &'a [Candidate], b: &'a [Candidate]) -> impl Iterator<Item = Candidate> + 'a {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x <= y => a.next().copied(),
        (Some(_), None) => a.next().copied(),
        _ => b.next().copied(),
    })
}

impl Rule {
    fn compile(config: &RuleConfig) -> Result<Self, TableError> {
        let matches = config.matches.iter().enumerate().map(|(at, block)| {
            Match::compile(block).map_err(|error| TableError {
                place: format!("matches[{at}].{}", error.place),
                ..error
            })
        });
        let (rewrite, extras) = match &config.action {
            Action::Route(route) => (rewrite_pattern(route)?, Extras::compile(route)?),
            _ => (None, None),
        };
        Ok(Self {
            config: config.clone(),
            matches: matches.collect::<Result<_, _>>()?,
            rewrite,
            extras,
        })
    }
}

fn rewrite_pattern(route: &RouteAction) -> Result<Option<Regex>, TableError> {
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
    fn compile(config: &MatchConfig) -> Result<Self, TableError> {
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

    /// The first condition that fails; none if all hold. The cheap ones come first.
    pub(crate) fn failing(&self, request: &impl Request) -> Option<String> {
        let path = request.path();
        if self
            .uri
            .as_ref()
            .is_some_and(|uri| !uri.is_match(query::path_of(path), self.ignore_case))
        {
            return Some("uri".to_owned());
        }
        let param = self.query.iter().find(|(name, matcher)| {
            !query::param(path, name.as_bytes()).is_some_and(|value| matcher.is_match(value, false))
        });
        if let Some((name, _)) = param {
            return Some(format!("queryParams[{name}]"));
        }
        let header = self
            .headers
            .iter()
            .find(|(name, matcher)| !any_value(request, name, matcher));
        if let Some((name, _)) = header {
            return Some(
                name.strip_prefix(':')
                    .map_or_else(|| format!("headers[{name}]"), str::to_owned),
            );
        }
        let without = self
            .without
            .iter()
            .find(|(name, matcher)| inverted_fails(request, name, matcher));
        without.map(|(name, _)| format!("withoutHeaders[{name}]"))
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
