//! Rewrites that double or drop a slash. A prefix is replaced as a string, with no slash logic, as in Istio.

use sealgate_core::config::HttpRoute;

use crate::report::ObjectReport;
use crate::{Code, Severity};

/// What follows the prefix in the examples of the messages.
const REST: &str = "rest";

pub(super) fn check(rule: &HttpRoute, place: &str, report: &mut ObjectReport) {
    let rewrite = rule.rewrite.as_ref().and_then(|rewrite| rewrite.uri.as_deref());
    let redirect = rule.redirect.as_ref();
    let prefix = redirect.and_then(|redirect| redirect.prefix_rewrite.as_deref());
    let whole = redirect.and_then(|redirect| redirect.uri.as_deref());
    for (field, text, replaces_prefix) in [
        ("rewrite.uri", rewrite, true),
        ("redirect.prefixRewrite", prefix, true),
        ("redirect.uri", whole, false),
    ] {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            continue;
        };
        let field = format!("{place}.{field}");
        if !text.starts_with('/') {
            let message = format!("{text:?} does not start with a slash, so the new path does not either");
            report.add(Severity::Warning, Code::SlashMissing, field, message);
        } else if replaces_prefix {
            prefixes(rule).into_iter().find_map(|(at, prefix)| {
                let (code, message) = trap(prefix, text)?;
                let message = at.map_or_else(|| message.clone(), |at| format!("with match[{at}] {message}"));
                report.add(Severity::Warning, code, field.clone(), message);
                Some(())
            });
        }
    }
}

/// The prefixes that the rule replaces, and the blocks that they stand in; a block without `uri` counts as `/`.
fn prefixes(rule: &HttpRoute) -> Vec<(Option<usize>, &str)> {
    if rule.r#match.is_empty() {
        return vec![(None, "/")];
    }
    let blocks = rule.r#match.iter().enumerate();
    blocks
        .filter_map(|(at, block)| match &block.uri {
            None => Some((Some(at), "/")),
            Some(uri) => Some((Some(at), uri.prefix.as_deref()?)),
        })
        .collect()
}

/// What goes wrong when `text` takes the place of `prefix`.
fn trap(prefix: &str, text: &str) -> Option<(Code, String)> {
    let (code, path) = match (prefix.ends_with('/'), text.ends_with('/')) {
        (false, true) => (Code::SlashDoubled, format!("{prefix}/{REST}")),
        (true, false) => (Code::SlashDropped, format!("{prefix}{REST}")),
        _ => return None,
    };
    let becomes = format!("{text}{}", path.strip_prefix(prefix)?);
    Some((code, format!("{path} becomes {becomes}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_counted_where_prefix_and_rest_meet() {
        for (prefix, text, found) in [
            (
                "/common",
                "/",
                Some((Code::SlashDoubled, "/common/rest becomes //rest")),
            ),
            ("/common/", "/", None),
            ("/common", "/new", None),
            (
                "/common/",
                "/new",
                Some((Code::SlashDropped, "/common/rest becomes /newrest")),
            ),
            ("/", "/new", Some((Code::SlashDropped, "/rest becomes /newrest"))),
            ("/", "/new/", None),
        ] {
            let found = found.map(|(code, message)| (code, message.to_owned()));
            assert_eq!(trap(prefix, text), found, "{prefix} {text}");
        }
    }
}
