//! `rewrite.uri` and `rewrite.uriRegexRewrite`.

use super::Problems;
use crate::config::HttpRewrite;
use crate::regex::search;
use crate::table::PathRewrite;

pub(super) fn path(rewrite: &HttpRewrite, problems: &mut Problems) -> Option<PathRewrite> {
    let uri = rewrite.uri.clone().filter(|uri| !uri.is_empty());
    match (uri, &rewrite.uri_regex_rewrite) {
        (Some(_), Some(_)) => {
            problems.refuse(
                "ambiguous-rewrite",
                "rewrite",
                "only one of uri and uriRegexRewrite may be given",
            );
            None
        }
        (Some(uri), None) => {
            check_path(&uri, "rewrite.uri", problems);
            Some(PathRewrite::Matched(uri))
        }
        (None, Some(regex)) => {
            check_path(&regex.rewrite, "rewrite.uriRegexRewrite.rewrite", problems);
            if let Err(reason) = search(&regex.r#match) {
                let message = format!("`{}` is not a valid regex: {reason}", regex.r#match);
                problems.refuse("bad-regex", "rewrite.uriRegexRewrite.match", message);
            }
            Some(PathRewrite::Regex(regex.r#match.clone(), regex.rewrite.clone()))
        }
        (None, None) => None,
    }
}

pub(super) fn check_path(path: &str, field: &str, problems: &mut Problems) {
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        problems.refuse(
            "bad-path",
            field,
            "a path holds visible ASCII alone; encode the rest as %XX",
        );
    }
}
