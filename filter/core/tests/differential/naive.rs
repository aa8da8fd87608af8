//! Routing by the letter: every domain, every rule, every block, in declared order. Slow and obvious on purpose, and
//! nothing of the program is used but its data types.

use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};
use sealgate_core::rules::{Action, MatchConfig, RuleConfig, StringMatcher, TableConfig};

use crate::request::Asked;

/// Who takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    NoHost,
    NoRule,
    HttpsRedirect,
    Rule {
        host: usize,
        rule: usize,
        block: Option<usize>,
    },
}

/// No upstream is asked for what is no path: `*`, or the target of CONNECT.
fn taken(host: usize, config: &RuleConfig, block: Option<usize>, request: &Asked) -> Verdict {
    if matches!(config.action, Action::Route(_)) && !request.path.starts_with(b"/") {
        return Verdict::NoRule;
    }
    let rule = config.origin.rule;
    Verdict::Rule { host, rule, block }
}

/// The patterns that were seen: compiling them anew for each request would take all the time.
#[derive(Default)]
pub(crate) struct Naive {
    patterns: HashMap<String, Regex>,
}

impl Naive {
    pub(crate) fn decide(&mut self, table: &TableConfig, request: &Asked) -> Verdict {
        let Some(host) = self.host(table, &request.authority) else {
            return Verdict::NoHost;
        };
        let virtual_host = &table.virtual_hosts[host];
        if virtual_host.https_redirect {
            return Verdict::HttpsRedirect;
        }
        for config in &virtual_host.rules {
            if config.matches.is_empty() {
                return taken(host, config, None, request);
            }
            for block in &config.matches {
                if self.block_holds(block, request) {
                    return taken(host, config, Some(block.index), request);
                }
            }
        }
        Verdict::NoRule
    }

    /// A whole name, else the longest of the wildcards, else `*`.
    fn host(&mut self, table: &TableConfig, authority: &[u8]) -> Option<usize> {
        let name = self.name(authority);
        let mut best: Option<(usize, usize)> = None;
        for (at, host) in table.virtual_hosts.iter().enumerate() {
            for domain in &host.domains {
                let length = match domain.strip_prefix('*') {
                    None if domain.as_bytes() == name => usize::MAX,
                    Some("") => 0,
                    Some(suffix) if name.ends_with(suffix.as_bytes()) && name.len() > suffix.len() => {
                        suffix.len()
                    }
                    _ => continue,
                };
                if best.is_none_or(|(longest, _)| length > longest) {
                    best = Some((length, at));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// The port is what follows the one colon of a name, or the bracket that ends an address.
    fn name(&mut self, authority: &[u8]) -> Vec<u8> {
        let with_port = self.pattern(r"(?s)\A(\[.*\]|[^\[:][^:]*|):[0-9]*\z");
        let host = match with_port.captures(authority) {
            Some(parts) => parts[1].to_vec(),
            None => authority.to_vec(),
        };
        let lower = host.to_ascii_lowercase();
        match lower.split_last() {
            Some((b'.', rest)) => rest.to_vec(),
            _ => lower,
        }
    }

    fn block_holds(&mut self, block: &MatchConfig, request: &Asked) -> bool {
        let (path, query) = split(&request.path);
        self.uri_holds(block, path)
            && block.headers.iter().all(|(name, condition)| {
                let mut values = request.values(name).into_iter();
                values.any(|value| self.holds(condition, value))
            })
            && block.without_headers.iter().all(|(name, condition)| {
                let values = request.values(name);
                match condition {
                    StringMatcher::Present => values.is_empty(),
                    _ if values.is_empty() => !self.holds(condition, b""),
                    _ => values.into_iter().all(|value| !self.holds(condition, value)),
                }
            })
            && block.query_params.iter().all(|(name, condition)| {
                param(query, name.as_bytes()).is_some_and(|value| self.holds(condition, &value))
            })
    }

    fn uri_holds(&mut self, block: &MatchConfig, path: &[u8]) -> bool {
        match &block.uri {
            None => true,
            Some(StringMatcher::Exact(text)) if block.ignore_uri_case => {
                path.to_ascii_lowercase() == text.to_ascii_lowercase().as_bytes()
            }
            Some(StringMatcher::Prefix(text)) if block.ignore_uri_case => path
                .to_ascii_lowercase()
                .starts_with(text.to_ascii_lowercase().as_bytes()),
            Some(condition) => self.holds(condition, path),
        }
    }

    fn holds(&mut self, condition: &StringMatcher, value: &[u8]) -> bool {
        match condition {
            StringMatcher::Present => true,
            StringMatcher::Exact(text) => value == text.as_bytes(),
            StringMatcher::Prefix(text) => value.starts_with(text.as_bytes()),
            StringMatcher::Regex(pattern) => self.pattern(&format!(r"\A(?:{pattern})\z")).is_match(value),
        }
    }

    fn pattern(&mut self, pattern: &str) -> &Regex {
        self.patterns.entry(pattern.to_owned()).or_insert_with(|| {
            let mut builder = RegexBuilder::new(pattern);
            builder.unicode(false).build().unwrap()
        })
    }
}

/// Path and query; a fragment is part of neither.
fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    let target = target.split(|byte| *byte == b'#').next().unwrap();
    match target.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&target[..mark], Some(&target[mark + 1..])),
        None => (target, None),
    }
}

/// The first pair of that name counts.
fn param(query: Option<&[u8]>, name: &[u8]) -> Option<Vec<u8>> {
    for pair in query?.split(|byte| *byte == b'&') {
        let (own, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(sign) => (&pair[..sign], &pair[sign + 1..]),
            None => (pair, &b""[..]),
        };
        if own == name {
            return Some(value.to_vec());
        }
    }
    None
}
