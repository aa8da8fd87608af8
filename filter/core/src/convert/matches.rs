//! `match` blocks.

use std::collections::BTreeMap;

use super::headers::is_name;
use super::{ProblemCode, Problems, limits};
use crate::config::{HttpMatch, HttpRoute, StringMatch};
use crate::regex::{BadRegex, check};
use crate::rules::{MatchConfig, StringMatcher};

pub(super) fn convert(route: &HttpRoute, kept: &[usize], problems: &mut Problems) -> Vec<MatchConfig> {
    limits::count(route.r#match.len(), limits::MATCHES, "match", problems);
    let blocks = kept.iter().filter_map(|at| Some((*at, route.r#match.get(*at)?)));
    blocks
        .map(|(at, block)| MatchBlock { at, problems }.convert(block))
        .collect()
}

struct MatchBlock<'p> {
    at: usize,
    problems: &'p mut Problems,
}

impl MatchBlock<'_> {
    fn convert(&mut self, block: &HttpMatch) -> MatchConfig {
        let conditions = block.headers.len() + block.without_headers.len() + block.query_params.len();
        limits::count(
            conditions,
            limits::CONDITIONS,
            &format!("match[{}]", self.at),
            self.problems,
        );
        if block.stat_prefix.is_some() {
            let field = self.field("statPrefix");
            self.problems.not_carried_out(field, true);
        }
        let mut headers = Vec::new();
        let pseudo = [
            ("method", ":method", &block.method),
            ("scheme", ":scheme", &block.scheme),
            ("authority", ":authority", &block.authority),
        ];
        for (field, name, condition) in pseudo {
            if let Some(condition) = condition
                && let Some(matcher) = self.one(field, condition, false)
            {
                headers.push((name.to_owned(), matcher));
            }
        }
        headers.extend(self.several("headers", &block.headers, false));
        MatchConfig {
            index: self.at,
            uri: block.uri.as_ref().and_then(|uri| self.uri(uri)),
            ignore_uri_case: block.ignore_uri_case,
            headers,
            without_headers: self.several("withoutHeaders", &block.without_headers, true),
            query_params: self.query(&block.query_params),
        }
    }

    /// An empty prefix matches every path; on other values, Envoy rejects it.
    fn uri(&mut self, uri: &StringMatch) -> Option<StringMatcher> {
        let is_empty = |text: &Option<String>| text.as_deref() == Some("");
        if is_empty(&uri.prefix) && uri.exact.is_none() && uri.regex.is_none() {
            return Some(StringMatcher::Prefix(String::new()));
        }
        self.one("uri", uri, false)
    }

    fn field(&self, name: &str) -> String {
        format!("match[{}].{name}", self.at)
    }

    fn several(
        &mut self,
        field: &str,
        conditions: &BTreeMap<String, Option<StringMatch>>,
        star: bool,
    ) -> Vec<(String, StringMatcher)> {
        let mut converted = Vec::with_capacity(conditions.len());
        for (name, condition) in conditions {
            let place = format!("{field}[{name}]");
            let bare = name.strip_prefix(':').unwrap_or(name);
            if !is_name(bare) {
                let place = self.field(&place);
                self.problems
                    .refuse(ProblemCode::InvalidHeaderName, place, "not a header's name");
                continue;
            }
            let matcher = match condition {
                Some(condition) if *condition != StringMatch::default() => self.one(&place, condition, star),
                _ => Some(StringMatcher::Present),
            };
            converted.extend(matcher.map(|matcher| (name.to_ascii_lowercase(), matcher)));
        }
        converted
    }

    fn query(&mut self, conditions: &BTreeMap<String, Option<StringMatch>>) -> Vec<(String, StringMatcher)> {
        let mut converted = Vec::with_capacity(conditions.len());
        for (name, condition) in conditions {
            let matcher = match condition {
                Some(condition) if *condition != StringMatch::default() => {
                    self.one(&format!("queryParams[{name}]"), condition, false)
                }
                _ => Some(StringMatcher::Present),
            };
            converted.extend(matcher.map(|matcher| (name.clone(), matcher)));
        }
        converted
    }

    /// `star`: the invalid regex `*` means "anything", but only in `withoutHeaders`, as in Istio.
    fn one(&mut self, place: &str, condition: &StringMatch, star: bool) -> Option<StringMatcher> {
        if star && condition.regex.as_deref() == Some("*") {
            return Some(StringMatcher::Present);
        }
        matcher(&self.field(place), condition, self.problems)
    }
}

/// A condition that is exactly one of the three.
pub(super) fn matcher(
    place: &str,
    condition: &StringMatch,
    problems: &mut Problems,
) -> Option<StringMatcher> {
    match (&condition.exact, &condition.prefix, &condition.regex) {
        (Some(text), None, None) => Some(StringMatcher::Exact(text.clone())),
        (None, Some(text), None) if text.is_empty() => {
            let message = "an empty prefix matches everything; leave it out";
            problems.refuse(ProblemCode::EmptyMatch, format!("{place}.prefix"), message);
            None
        }
        (None, Some(text), None) => Some(StringMatcher::Prefix(text.clone())),
        (None, None, Some(pattern)) if pattern.is_empty() => {
            let message = "an empty regex is not allowed: its meaning is not clear";
            problems.refuse(ProblemCode::EmptyMatch, format!("{place}.regex"), message);
            None
        }
        (None, None, Some(pattern)) => match check(pattern) {
            Ok(_) => Some(StringMatcher::Regex(pattern.clone())),
            Err(BadRegex(reason)) => {
                let message = format!("`{pattern}` is not a valid regex: {reason}");
                problems.refuse(ProblemCode::BadRegex, format!("{place}.regex"), message);
                None
            }
        },
        (None, None, None) => {
            problems.refuse(
                ProblemCode::EmptyMatch,
                place,
                "one of exact, prefix and regex is required",
            );
            None
        }
        _ => {
            let message = "only one of exact, prefix and regex may be given";
            problems.refuse(ProblemCode::AmbiguousMatch, place, message);
            None
        }
    }
}
