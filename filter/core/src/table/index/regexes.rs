//! Many regexes at once: one pass over the path says which of them match.

use super::Position;
use crate::regex::{Pattern, Patterns};

/// Fewer are tried one after the other when their turn comes: often an earlier rule decides before.
const FEW: usize = 8;

#[derive(Debug)]
pub(super) struct RegexSet {
    /// Ascending; one per pattern.
    positions: Box<[Position]>,
    patterns: Patterns,
}

impl RegexSet {
    /// None if a set is not worth it, or would take too much memory: then they are tried one after the other.
    pub(super) fn new(patterns: &[(Position, &Pattern)]) -> Option<Self> {
        if patterns.len() < FEW {
            return None;
        }
        Some(Self {
            positions: patterns.iter().map(|(at, _)| *at).collect(),
            patterns: Patterns::new(patterns.iter().map(|(_, pattern)| *pattern))?,
        })
    }

    pub(super) fn first(&self) -> Option<Position> {
        self.positions.first().copied()
    }

    /// Those whose pattern matches, ascending.
    pub(super) fn matched(&self, path: &[u8]) -> Vec<Position> {
        let found = self.patterns.matches(path);
        let places = found
            .iter()
            .filter_map(|pattern| self.positions.get(pattern.as_usize()));
        places.copied().collect()
    }
}
