//! Many regexes at once: one pass over the path says which of them match.

use regex_automata::meta::Regex;
use regex_automata::{Input, PatternSet};

use super::Position;
use crate::matcher::Pattern;

/// Fewer are tried one after the other when their turn comes: often an earlier rule decides before.
const FEW: usize = 8;
/// A set may take this much memory; above, its patterns are tried one after the other.
const SET_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct RegexSet {
    /// Ascending; one per pattern.
    positions: Box<[Position]>,
    set: Regex,
}

impl RegexSet {
    /// None if a set is not worth it, or would take too much.
    pub(super) fn new(patterns: &[(Position, &Pattern)]) -> Option<Self> {
        if patterns.len() < FEW {
            return None;
        }
        let set = Pattern::set(patterns.iter().map(|(_, pattern)| *pattern), SET_BYTES)?;
        Some(Self {
            positions: patterns.iter().map(|(at, _)| *at).collect(),
            set,
        })
    }

    pub(super) fn first(&self) -> Option<Position> {
        self.positions.first().copied()
    }

    /// Those whose pattern matches, ascending.
    pub(super) fn matched(&self, path: &[u8]) -> Vec<Position> {
        let mut found = PatternSet::new(self.set.pattern_len());
        self.set.which_overlapping_matches(&Input::new(path), &mut found);
        let found = found
            .iter()
            .filter_map(|pattern| self.positions.get(pattern.as_usize()));
        found.copied().collect()
    }
}
