//! The path that the upstream sees. The query always stays, and a path always begins with a slash, whatever a rule
//! does.

use crate::bounded::bounded;
use crate::matcher::ValueMatcher;
use crate::query;
use crate::regex::{Regexes, Replacement};
use crate::rules::ArchivedPathRewrite;
use crate::undecided::Undecided;

/// `uri` is the condition that matched the path.
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

/// Makes a path begin with a slash: servers reject others, and after a host, it would become part of the host.
pub(crate) fn root(path: &mut Vec<u8>) {
    if !path.starts_with(b"/") {
        path.insert(0, b'/');
    }
}

/// A prefix match replaces only its prefix, a missing one counts as the prefix `/`, and others replace the whole path.
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
