//! Writing the flat radix tree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::bytes::put;
use super::Position;
use crate::matcher::ValueMatcher;
use crate::regex::{digest, fit_together, literal_prefix};
use crate::rules::MatchConfig;

/// Fewer regexes are tried one by one when their turn comes: often, an earlier rule decides before.
const FEW: usize = 8;

/// Writes the index of all blocks in declared order; none is a rule that takes everything. All patterns must be valid.
pub(in super::super) fn encode<'m>(
    blocks: impl Iterator<Item = Option<&'m MatchConfig>>,
    bytes: &mut Vec<u8>,
) {
    let (mut plain, mut folded) = (Builder::default(), Builder::default());
    for (at, block) in (0..).zip(blocks) {
        let ignore_case = block.is_some_and(|block| block.ignore_uri_case);
        let keys = if ignore_case { &mut folded } else { &mut plain };
        let key = |text: &'m [u8]| -> Cow<'m, [u8]> {
            if ignore_case {
                text.to_ascii_lowercase().into()
            } else {
                text.into()
            }
        };
        match block.and_then(|block| block.uri.as_ref()).map(ValueMatcher::from) {
            Some(ValueMatcher::Exact(text)) => keys.draft(&key(text)).exact.push(at),
            Some(ValueMatcher::Prefix(text)) => keys.draft(&key(text)).prefix.push(at),
            Some(ValueMatcher::Regex(pattern)) => {
                let begin = literal_prefix(pattern);
                plain.draft(&begin).regexes.push((at, pattern));
            }
            Some(ValueMatcher::Present) | None => plain.draft(b"").prefix.push(at),
        }
    }
    plain.write(bytes);
    folded.write(bytes);
}

/// Collects what is at each key.
#[derive(Default)]
struct Builder<'m>(BTreeMap<Box<[u8]>, KeyDraft<'m>>);

#[derive(Default)]
struct KeyDraft<'m> {
    exact: Vec<Position>,
    prefix: Vec<Position>,
    regexes: Vec<(Position, &'m str)>,
}

/// The result so far.
#[derive(Default)]
struct Written<'b> {
    keys: Vec<&'b [u8]>,
    /// Counted from 1.
    parents: Vec<usize>,
    records: Vec<u8>,
    key_bytes: Vec<u8>,
    positions: Vec<u8>,
}

impl<'m> Builder<'m> {
    fn draft(&mut self, key: &[u8]) -> &mut KeyDraft<'m> {
        self.0.entry(key.into()).or_default()
    }

    fn write(mut self, bytes: &mut Vec<u8>) {
        self.0.values_mut().for_each(KeyDraft::dissolve_set);
        let mut written = Written::default();
        for (key, draft) in &self.0 {
            written.add(key, draft);
        }
        put(bytes, written.keys.len());
        put(bytes, written.key_bytes.len());
        put(bytes, written.positions.len() / 4);
        for part in [&written.records, &written.key_bytes, &written.positions] {
            bytes.extend_from_slice(part);
        }
    }
}

impl KeyDraft<'_> {
    /// If a set is not worthwhile, or would take too much memory, its patterns are tried one by one.
    fn dissolve_set(&mut self) {
        let patterns: Vec<&str> = self.regexes.iter().map(|(_, pattern)| *pattern).collect();
        if patterns.len() >= FEW && fit_together(&patterns) {
            return;
        }
        self.prefix.extend(self.regexes.drain(..).map(|(at, _)| at));
        self.prefix.sort_unstable();
    }
}

impl<'b> Written<'b> {
    /// Adds a key; they come sorted. `keys.rs` describes the record.
    fn add(&mut self, key: &'b [u8], draft: &KeyDraft<'_>) {
        let parent = self.parent(key);
        self.key_bytes.extend_from_slice(key);
        put(&mut self.records, self.key_bytes.len());
        self.list(draft.exact.iter().copied());
        self.list(draft.prefix.iter().copied());
        if !draft.regexes.is_empty() {
            let name = digest(draft.regexes.iter().map(|(_, pattern)| *pattern));
            self.positions.extend_from_slice(&name);
        }
        self.list(draft.regexes.iter().map(|(at, _)| *at));
        put(&mut self.records, parent);
        self.keys.push(key);
        self.parents.push(parent);
    }

    fn list(&mut self, positions: impl Iterator<Item = Position>) {
        positions.for_each(|at| self.positions.extend_from_slice(&at.to_le_bytes()));
        put(&mut self.records, self.positions.len() / 4);
    }

    /// The longest key so far that `key` begins with: the last one or an ancestor of it, as they come sorted.
    fn parent(&self, key: &[u8]) -> usize {
        let mut next = self.keys.len();
        while let Some(at) = next.checked_sub(1) {
            if self.keys.get(at).is_some_and(|own| key.starts_with(own)) {
                break;
            }
            next = self.parents.get(at).copied().unwrap_or_default();
        }
        next
    }
}
