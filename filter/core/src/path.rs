//! What the upstream sees as path. The query always stays.

use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::util::captures::Captures;

use crate::matcher::ValueMatcher;
use crate::query;
use crate::regex::{BadRegex, Regexes};
use crate::rules::ArchivedPathRewrite;

/// `uri` is the condition by which the path was matched.
pub(crate) fn rewrite(
    rewrite: &ArchivedPathRewrite,
    uri: Option<ValueMatcher<'_>>,
    path: &[u8],
    regexes: &Regexes,
) -> Result<Vec<u8>, BadRegex> {
    let own = query::path_of(path);
    let mut new = match rewrite {
        ArchivedPathRewrite::Matched(text) => replace_matched(text, uri, own),
        ArchivedPathRewrite::Regex(pattern, template) => {
            regexes.search(pattern, |machine| replace_all(machine, template, own))?
        }
    };
    new.extend_from_slice(query::suffix_of(path));
    Ok(new)
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

fn replace_all(pattern: &PikeVM, template: &str, path: &[u8]) -> Vec<u8> {
    let mut new = Vec::with_capacity(path.len());
    let mut done = 0;
    for captures in pattern.captures_iter(&mut pattern.create_cache(), path) {
        let Some(span) = captures.get_match().map(|found| found.span()) else {
            continue;
        };
        new.extend_from_slice(path.get(done..span.start).unwrap_or_default());
        expand(template, &captures, path, &mut new);
        done = span.end;
    }
    new.extend_from_slice(path.get(done..).unwrap_or_default());
    new
}

/// `\0` to `\9` are groups, `\\` is a backslash.
fn expand(template: &str, captures: &Captures, path: &[u8], new: &mut Vec<u8>) {
    let mut bytes = template.bytes();
    while let Some(byte) = bytes.next() {
        match (byte, byte == b'\\') {
            (_, true) => match bytes.next() {
                Some(digit @ b'0'..=b'9') => {
                    let group = captures.get_group(usize::from(digit - b'0'));
                    new.extend_from_slice(group.and_then(|span| path.get(span.range())).unwrap_or_default());
                }
                Some(other) => new.push(other),
                None => new.push(b'\\'),
            },
            _ => new.push(byte),
        }
    }
}
