//! How a decision was made: which virtual host matched the name and why, and for each block that was tried before the
//! one that matched, the first condition that failed.
//!
//! It uses the table as data, condition by condition in the matcher's order, without the index that narrows what the
//! filter tries.

use serde::Serialize;

use super::Question;
use crate::matcher::ValueMatcher;
use crate::regex::Regexes;
use crate::request::Request;
use crate::rules::{MatchConfig, RuleConfig, RuleOrigin, StringMatcher, TableConfig, VirtualHostConfig};
use crate::{host, query};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// None if no virtual host matches the name.
    pub host: Option<VirtualHost>,
    /// The blocks that did not match, in declared order, up to the one that did.
    pub earlier: Vec<Trial>,
}

/// The virtual host that matched the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualHost {
    /// What is compared: lower-case, without port and trailing dot.
    pub name: String,
    /// `name`, `*.suffix` or `*`.
    pub domain: String,
    /// Why it matched.
    pub by: HostMatch,
    /// Everything is redirected to HTTPS before any rule.
    pub https_redirect: bool,
}

/// How a virtual host matches a name; earlier variants take precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum HostMatch {
    /// By the name itself.
    Exact,
    /// By the longest suffix.
    Wildcard,
    /// By `*`, as nothing else matches.
    Any,
}

/// A block that did not match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// `namespace/name`.
    pub virtual_service: String,
    /// The rule's place.
    pub rule: usize,
    /// Its name.
    pub rule_name: Option<String>,
    /// The block's place.
    pub r#match: usize,
    /// The condition that failed.
    #[serde(flatten)]
    pub failure: Failure,
}

/// A condition that a request does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Where it is written in the block: `uri`, `headers[x-a]`.
    pub field: String,
    /// What it asks for: `prefix "/a"`.
    pub wanted: String,
    /// The values that the request has.
    pub found: Vec<String>,
    /// The failure as a message.
    pub message: String,
}

/// Traces a request through the table of its port.
#[must_use]
pub fn trace(question: &Question, table: &TableConfig) -> Trace {
    let Some((host, config)) = virtual_host(question, table) else {
        return Trace::default();
    };
    let mut earlier = Vec::new();
    if !host.https_redirect {
        for rule in &config.rules {
            let failed = failures(question, rule);
            let has_matched = failed.len() < rule.matches.len().max(1);
            earlier.extend(failed);
            if has_matched {
                break;
            }
        }
    }
    Trace {
        host: Some(host),
        earlier,
    }
}

fn virtual_host<'t>(
    question: &Question,
    table: &'t TableConfig,
) -> Option<(VirtualHost, &'t VirtualHostConfig)> {
    let name = String::from_utf8_lossy(&host::normalize(question.authority())).into_owned();
    let domains = table
        .virtual_hosts
        .iter()
        .flat_map(|config| config.domains.iter().map(move |domain| (domain, config)));
    let taken = domains.filter(|(domain, _)| host::matches(domain, &name));
    let (domain, config) = taken.max_by_key(|(domain, _)| host::precedence(domain))?;
    let by = match domain.strip_prefix('*') {
        None => HostMatch::Exact,
        Some("") => HostMatch::Any,
        Some(_) => HostMatch::Wildcard,
    };
    let host = VirtualHost {
        name,
        domain: domain.clone(),
        by,
        https_redirect: config.https_redirect,
    };
    Some((host, config))
}

/// The blocks of a rule that fail, up to the first that does not.
fn failures(question: &Question, rule: &RuleConfig) -> Vec<Trial> {
    let failing = |block: &MatchConfig| Some(trial(&rule.origin, block.index, failure(question, block)?));
    rule.matches.iter().map_while(failing).collect()
}

fn trial(origin: &RuleOrigin, block: usize, failure: Failure) -> Trial {
    Trial {
        virtual_service: origin.virtual_service.clone(),
        rule: origin.rule,
        rule_name: origin.name.clone(),
        r#match: block,
        failure,
    }
}

/// The first condition that fails, in the matcher's order.
fn failure(question: &Question, block: &MatchConfig) -> Option<Failure> {
    let path = text(query::path_of(question.path()));
    let uri = block.uri.iter().map(|wanted| Condition {
        field: "uri".to_owned(),
        wanted,
        found: vec![path.clone()],
        ignore_case: block.ignore_uri_case,
        inverted: false,
    });
    let query = block.query_params.iter().map(|(name, wanted)| {
        let value = query::param(question.path(), name.as_bytes()).map(text);
        Condition::new(
            format!("queryParams[{name}]"),
            wanted,
            value.into_iter().collect(),
        )
    });
    let headers = block.headers.iter().map(|(name, wanted)| {
        let field = name.strip_prefix(':').map(str::to_owned);
        let field = field.unwrap_or_else(|| format!("headers[{name}]"));
        Condition::new(field, wanted, values(question, name))
    });
    let without = block.without_headers.iter().map(|(name, wanted)| Condition {
        inverted: true,
        ..Condition::new(format!("withoutHeaders[{name}]"), wanted, values(question, name))
    });
    let mut conditions = uri.chain(query).chain(headers).chain(without);
    conditions.find_map(Condition::failure)
}

fn values(question: &Question, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    question.header(name, &mut |value| values.push(text(value)));
    values
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Condition<'t> {
    field: String,
    wanted: &'t StringMatcher,
    found: Vec<String>,
    ignore_case: bool,
    /// No value may match.
    inverted: bool,
}

impl<'t> Condition<'t> {
    fn new(field: String, wanted: &'t StringMatcher, found: Vec<String>) -> Self {
        Self {
            field,
            wanted,
            found,
            ignore_case: false,
            inverted: false,
        }
    }

    fn failure(self) -> Option<Failure> {
        if self.holds() {
            return None;
        }
        let wanted = self.wanted.to_string();
        let found = match (self.found.as_slice(), self.inverted) {
            ([], false) => "the request has none".to_owned(),
            ([], true) => "the request has none, which counts as \"\"".to_owned(),
            (values, _) => values
                .iter()
                .map(|value| format!("{value:?}"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let field = &self.field;
        let message = match (self.found.is_empty(), self.inverted, self.wanted) {
            (_, true, StringMatcher::Present) => format!("{field}: must be absent, the request has {found}"),
            (false, true, _) => format!("{field}: {wanted} must not match {found}"),
            (true, ..) => format!("{field}: {wanted}, {found}"),
            (false, false, _) if self.ignore_case => {
                format!("{field}: {wanted} (case-insensitive) does not match {found}")
            }
            (false, false, _) => format!("{field}: {wanted} does not match {found}"),
        };
        Some(Failure {
            field: self.field,
            wanted,
            found: self.found,
            message,
        })
    }

    fn holds(&self) -> bool {
        let regexes = Regexes::default();
        let wanted = ValueMatcher::from(self.wanted);
        // A table whose patterns do not compile is never served.
        let is_match =
            |value: &String| wanted.is_match(value.as_bytes(), self.ignore_case, &regexes) == Ok(true);
        if !self.inverted {
            return self.found.iter().any(is_match);
        }
        if self.found.is_empty() {
            return *self.wanted == StringMatcher::Present || !is_match(&String::new());
        }
        !self.found.iter().any(is_match)
    }
}

impl std::fmt::Display for StringMatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Present => write!(f, "any value"),
            Self::Exact(text) => write!(f, "exact {text:?}"),
            Self::Prefix(text) => write!(f, "prefix {text:?}"),
            Self::Regex(pattern) => write!(f, "regex `{pattern}`"),
        }
    }
}

#[cfg(test)]
#[path = "trace/tests.rs"]
mod tests;
