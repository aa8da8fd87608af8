//! Which blocks of a host can match a path at all. The index only narrows: every candidate is still tried in full, and
//! they come in declared order, so that what is decided is what a scan from the first rule to the last would decide.
//!
//! All paths that rules name (exact ones, prefixes, and what every match of a regex begins with) are the keys of one
//! radix tree, kept flat: sorted, each key with a link to the longest other key that it begins with. One binary search
//! finds the last key that is not above the path. Every key that the path begins with is that key or an ancestor of it.

mod keys;
mod regexes;

use std::borrow::Cow;

use smallvec::SmallVec;

use self::keys::{Builder, Keys};
use self::regexes::RegexSet;
use super::rule::Match;
use crate::matcher::Matcher;
use crate::query;

/// The place of a block among all blocks of a host.
pub(super) type Position = u32;

#[derive(Debug, Default)]
pub(super) struct PathIndex {
    plain: Keys,
    /// `ignoreUriCase`: the keys are lower-case.
    folded: Option<Keys>,
}

impl PathIndex {
    /// Of all blocks in declared order; none is a rule that takes everything.
    pub(super) fn new<'m>(blocks: impl Iterator<Item = Option<&'m Match>>) -> Self {
        let (mut plain, mut folded) = (Builder::default(), Builder::default());
        for (at, block) in (0..).zip(blocks) {
            let ignore_case = block.is_some_and(|block| block.ignore_case);
            let keys = if ignore_case { &mut folded } else { &mut plain };
            let key = |text: &'m [u8]| -> Cow<'m, [u8]> {
                if ignore_case {
                    text.to_ascii_lowercase().into()
                } else {
                    text.into()
                }
            };
            match block.and_then(|block| block.uri.as_ref()) {
                Some(Matcher::Exact(text)) => keys.exact(&key(text), at),
                Some(Matcher::Prefix(text)) => keys.prefix(&key(text), at),
                Some(Matcher::Regex(pattern)) => plain.regex(pattern, at),
                Some(Matcher::Present) | None => plain.prefix(b"", at),
            }
        }
        Self {
            plain: plain.build(),
            folded: (!folded.is_empty()).then(|| folded.build()),
        }
    }

    /// The blocks that may match `path` (with its query), in declared order.
    pub(super) fn candidates<'t, 'p>(&'t self, path: &'p [u8]) -> Candidates<'t, 'p> {
        let path = query::path_of(path);
        let mut sources = Sources::new();
        self.plain.collect(path, &mut sources);
        if let Some(folded) = &self.folded {
            folded.collect(&path.to_ascii_lowercase(), &mut sources);
        }
        Candidates { path, sources }
    }
}

/// Positions in ascending order.
#[derive(Debug)]
enum Source<'a> {
    List(&'a [Position]),
    /// Those of a set whose patterns match; which ones, is found out when the first of them is next.
    Set(&'a RegexSet),
    Matched(std::vec::IntoIter<Position>),
}

impl Source<'_> {
    fn peek(&self) -> Option<Position> {
        match self {
            Self::List(list) => list.first().copied(),
            Self::Set(set) => set.first(),
            Self::Matched(rest) => rest.as_slice().first().copied(),
        }
    }
}

/// As many as keys that the path begins with: few.
type Sources<'t> = SmallVec<[Source<'t>; 4]>;

/// Sorted sources as one, and each position once.
#[derive(Debug)]
pub(super) struct Candidates<'t, 'p> {
    path: &'p [u8],
    sources: Sources<'t>,
}

impl Iterator for Candidates<'_, '_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        loop {
            let heads = self
                .sources
                .iter_mut()
                .filter_map(|source| Some((source.peek()?, source)));
            let (first, source) = heads.min_by_key(|(position, _)| *position)?;
            match source {
                Source::List(list) => *list = list.get(1..).unwrap_or_default(),
                Source::Matched(rest) => drop(rest.next()),
                Source::Set(set) => {
                    *source = Source::Matched(set.matched(self.path).into_iter());
                    continue;
                }
            }
            return Some(first);
        }
    }
}

#[cfg(test)]
#[path = "index/tests.rs"]
mod tests;
