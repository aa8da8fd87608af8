//! `rewrite.uri` and `rewrite.uriRegexRewrite`.

use super::{ProblemCode, Problems, limits};
use crate::config::HttpRewrite;
use crate::regex::{BadRegex, groups, search};
use crate::rules::PathRewrite;

pub(super) fn path(rewrite: &HttpRewrite, problems: &mut Problems) -> Option<PathRewrite> {
    let uri = rewrite.uri.clone().filter(|uri| !uri.is_empty());
    match (uri, &rewrite.uri_regex_rewrite) {
        (Some(_), Some(_)) => {
            problems.refuse(
                ProblemCode::AmbiguousRewrite,
                "rewrite",
                "only one of uri and uriRegexRewrite may be given",
            );
            None
        }
        (Some(uri), None) => {
            check_path(&uri, "rewrite.uri", problems);
            Some(PathRewrite::Matched(uri))
        }
        (None, Some(regex)) if regex.r#match.is_empty() || regex.rewrite.is_empty() => {
            let message = "both match and rewrite are required";
            problems.refuse(ProblemCode::BadRewrite, "rewrite.uriRegexRewrite", message);
            None
        }
        (None, Some(regex)) => {
            check_path(&regex.rewrite, "rewrite.uriRegexRewrite.rewrite", problems);
            match search(&regex.r#match) {
                Ok(pattern) => check_template(&regex.rewrite, groups(&pattern), problems),
                Err(BadRegex(reason)) => {
                    let message = format!("`{}` is not a valid regex: {reason}", regex.r#match);
                    problems.refuse(ProblemCode::BadRegex, "rewrite.uriRegexRewrite.match", message);
                }
            }
            Some(PathRewrite::Regex(regex.r#match.clone(), regex.rewrite.clone()))
        }
        (None, None) if rewrite.authority.as_deref().unwrap_or_default().is_empty() => {
            let message = "one of uri, authority and uriRegexRewrite is required";
            problems.refuse(ProblemCode::BadRewrite, "rewrite", message);
            None
        }
        (None, None) => None,
    }
}

/// Checks that every backslash is before another one or the digit of an existing group, as Envoy requires.
fn check_template(template: &str, groups: usize, problems: &mut Problems) {
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            continue;
        }
        let good = match rest.next() {
            Some('\\') => true,
            Some(digit) => digit.to_digit(10).is_some_and(|group| (group as usize) < groups),
            None => false,
        };
        if !good {
            let message = format!(
                "`{template}`: \\0 to \\{} are the groups, \\\\ is a backslash",
                groups.saturating_sub(1)
            );
            problems.refuse(
                ProblemCode::BadRewrite,
                "rewrite.uriRegexRewrite.rewrite",
                message,
            );
            return;
        }
    }
}

pub(super) fn check_path(path: &str, field: &str, problems: &mut Problems) {
    limits::length(path, limits::PATH, field, problems);
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        problems.refuse(
            ProblemCode::BadPath,
            field,
            "a path may contain only visible ASCII; encode the rest as %XX",
        );
    }
}
