//! What the upstream sees as path. The query always stays, and a path begins with a slash whatever a rule makes of it.

use crate::bounded::bounded;
use crate::matcher::ValueMatcher;
use crate::query;
use crate::regex::{Regexes, Replacement};
use crate::rules::ArchivedPathRewrite;
use crate::undecided::Undecided;

/// `uri` is the condition by which the path was matched.
pub(crate) fn rewrite(
    rewrite: &ArchivedPathRewrite,
    uri: Option<ValueMatcher<'_>>,
    path: &[u8],
    regexes: &Regexes,
) -> Result<Vec<u8>, Undecided> {
    let own = query::path_of(path);
    let mut new = match rewrite {
        ArchivedPathRewrite::Matched(text) => replace_matched(text, uri, own),
        ArchivedPathRewrite::Regex(pattern, template) => {
            regexes.replace(pattern, &Replacement(template), own)?
        }
    };
    new.extend_from_slice(query::suffix_of(path));
    root(&mut new);
    bounded(new)
}

/// No request has a path without a slash in front: servers refuse it, and behind a host it would be a part of that.
pub(crate) fn root(path: &mut Vec<u8>) {
    if !path.starts_with(b"/") {
        path.insert(0, b'/');
    }
}

/// A prefix match gives up its prefix alone, a missing one counts as the prefix `/`, others the whole path.
pub(crate) fn replace_matched(text: &str, uri: Option<ValueMatcher<'_>>, path: &[u8]) -> Vec<u8> {
    let taken = match uri {
        Some(ValueMatcher::Prefix(prefix)) => prefix.len(),
        None => 1,
        Some(_) => path.len(),
    };
    let mut new = text.as_bytes().to_vec();
    new.extend_from_slice(path.get(taken..).unwrap_or_default());
    new
}
