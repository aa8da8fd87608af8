//! Which blocks of a host can match a path. The index only narrows: every candidate is still checked completely, in
//! declared order, so that the decision is the same as that of a scan from the first rule to the last.
//!
//! All paths that rules name (exact ones, prefixes, and what every match of a regex begins with) are the keys of one
//! radix tree, kept flat: sorted, each key with a link to the longest other key that it begins with. One binary search
//! finds the last key that is not above the path. Every key that the path begins with is that key or an ancestor of it.
//! The tree is read where it lies in the host's bytes.

mod builder;
mod keys;

use smallvec::SmallVec;

pub(super) use self::builder::encode;
use self::keys::Keys;
use super::bytes::{ByteReader, Corrupt, Numbers, word};
use crate::query;
use crate::regex::{Digest, Regexes};
use crate::undecided::Undecided;

/// The position of a block among all blocks of a host.
pub(super) type Position = u32;

/// The index of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathIndex<'t> {
    plain: Keys<'t>,
    /// `ignoreUriCase`: the keys are lower-case.
    folded: Keys<'t>,
}

impl<'t> PathIndex<'t> {
    pub(super) fn read(reader: &mut ByteReader<'t>) -> Result<Self, Corrupt> {
        Ok(Self {
            plain: Keys::read(reader)?,
            folded: Keys::read(reader)?,
        })
    }

    /// The blocks that may match `path` (with its query), in declared order.
    pub(super) fn candidates<'p>(&self, path: &'p [u8]) -> Result<Candidates<'t, 'p>, Corrupt> {
        let path = query::path_of(path);
        let mut sources = CandidateSources::new();
        self.plain.collect(path, &mut sources)?;
        if !self.folded.is_empty() {
            self.folded.collect(&path.to_ascii_lowercase(), &mut sources)?;
        }
        Ok(Candidates { path, sources })
    }
}

/// Many regexes at once: one pass over the path finds those that match.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegexSet<'t> {
    name: Digest,
    /// Ascending; one per pattern.
    positions: Numbers<'t>,
}

/// Returns the pattern of a block.
pub(super) trait BlockPatterns<'t> {
    fn pattern(&self, at: Position) -> Result<&'t str, Corrupt>;
}

impl<'t> RegexSet<'t> {
    /// Those whose pattern matches, ascending.
    fn matched(
        &self,
        path: &[u8],
        patterns: &impl BlockPatterns<'t>,
        regexes: &Regexes,
    ) -> Result<Vec<Position>, Undecided> {
        let all = || {
            let positions = self.positions.iter().map(|at| u32::from_le_bytes(*at));
            positions.map(|at| patterns.pattern(at)).collect()
        };
        let found = regexes.matches(&self.name, all, path)?;
        found
            .iter()
            .map(|at| Ok(word(self.positions, at.as_usize())?))
            .collect()
    }
}

/// Positions in ascending order.
#[derive(Debug)]
enum CandidateSource<'t> {
    List(Numbers<'t>),
    /// Those of a set whose patterns match, which is computed when the first of them is next.
    Set(RegexSet<'t>),
    Matched(std::vec::IntoIter<Position>),
}

impl CandidateSource<'_> {
    fn peek(&self) -> Option<Position> {
        match self {
            Self::List(list) | Self::Set(RegexSet { positions: list, .. }) => {
                list.first().copied().map(u32::from_le_bytes)
            }
            Self::Matched(rest) => rest.as_slice().first().copied(),
        }
    }
}

/// One for each key that the path begins with: few.
type CandidateSources<'t> = SmallVec<[CandidateSource<'t>; 4]>;

/// Merges sorted sources, with each position once.
#[derive(Debug)]
pub(super) struct Candidates<'t, 'p> {
    path: &'p [u8],
    sources: CandidateSources<'t>,
}

impl<'t> Candidates<'t, '_> {
    /// The next one; none after the last.
    pub(super) fn next(
        &mut self,
        patterns: &impl BlockPatterns<'t>,
        regexes: &Regexes,
    ) -> Result<Option<Position>, Undecided> {
        loop {
            let heads = self
                .sources
                .iter_mut()
                .filter_map(|source| Some((source.peek()?, source)));
            let Some((first, source)) = heads.min_by_key(|(position, _)| *position) else {
                return Ok(None);
            };
            match source {
                CandidateSource::List(list) => *list = list.get(1..).unwrap_or_default(),
                CandidateSource::Matched(rest) => drop(rest.next()),
                CandidateSource::Set(set) => {
                    let matched = set.matched(self.path, patterns, regexes)?;
                    *source = CandidateSource::Matched(matched.into_iter());
                    continue;
                }
            }
            return Ok(Some(first));
        }
    }
}

#[cfg(test)]
#[path = "index/tests.rs"]
mod tests;
