//! Conditions that nothing meets.

use std::collections::BTreeMap;

use sealgate_core::config::{HttpMatch, HttpRoute, StringMatch};

use super::language::{Values, can_match};
use crate::report::ObjectReport;
use crate::{Code, Severity};

pub(super) fn check(rule: &HttpRoute, place: &str, report: &mut ObjectReport) {
    for (at, block) in rule.r#match.iter().enumerate() {
        let place = format!("{place}.match[{at}]");
        if let Some((kind, reason)) = block.uri.as_ref().and_then(unmet) {
            never(report, format!("{place}.uri.{kind}"), reason);
        }
        for (name, condition) in others(block) {
            if let Some(pattern) = &condition.regex
                && !can_match(pattern, Values::Any)
            {
                never(
                    report,
                    format!("{place}.{name}.regex"),
                    "no value matches this regex",
                );
            }
        }
    }
}

fn never(report: &mut ObjectReport, field: String, message: &str) {
    report.add(Severity::Warning, Code::NeverMatches, field, message);
}

/// Why no path meets a condition, and where that is written.
fn unmet(uri: &StringMatch) -> Option<(&'static str, &'static str)> {
    let text = |text: &str| {
        if text.is_empty() {
            // Refused as a prefix, and the empty path as a whole is nobody's mistake.
            None
        } else if !text.starts_with('/') {
            Some("never matches: a path starts with a slash")
        } else if text.contains(['?', '#']) {
            Some("never matches: a path is compared without its query; use queryParams")
        } else {
            None
        }
    };
    let regex = |pattern: &str| {
        // What is not a regex at all was refused.
        (!can_match(pattern, Values::Paths)).then_some(
            "never matches: the regex must match the whole path, which starts with a slash and has no query",
        )
    };
    let exact = uri
        .exact
        .as_deref()
        .and_then(text)
        .map(|reason| ("exact", reason));
    let prefix = uri
        .prefix
        .as_deref()
        .and_then(text)
        .map(|reason| ("prefix", reason));
    let regex = uri
        .regex
        .as_deref()
        .and_then(regex)
        .map(|reason| ("regex", reason));
    exact.or(prefix).or(regex)
}

/// The conditions on other things than the path.
fn others(block: &HttpMatch) -> impl Iterator<Item = (String, &StringMatch)> {
    let single = [
        ("scheme", &block.scheme),
        ("method", &block.method),
        ("authority", &block.authority),
    ];
    let single = single
        .into_iter()
        .filter_map(|(name, condition)| Some((name.to_owned(), condition.as_deref()?)));
    single
        .chain(named("headers", &block.headers))
        .chain(named("withoutHeaders", &block.without_headers))
        .chain(named("queryParams", &block.query_params))
}

fn named<'b>(
    field: &'static str,
    conditions: &'b BTreeMap<String, Option<StringMatch>>,
) -> impl Iterator<Item = (String, &'b StringMatch)> {
    conditions
        .iter()
        .filter_map(move |(name, condition)| Some((format!("{field}[{name}]"), condition.as_ref()?)))
}
