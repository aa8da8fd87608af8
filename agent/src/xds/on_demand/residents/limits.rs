//! How many names a proxy may have, and for how long.

use std::time::Duration;

use super::resident::Id;

/// How many names of one wildcard a proxy may have.
pub(super) const MOST_OF_WILDCARD: usize = 256;
/// How many spellings of one name it may have.
pub(super) const MOST_OF_NAME: usize = 4;
/// How many names of one chain: this many for each of its patterns, plus [`MOST_BESIDES`].
pub(super) const MOST_PER_PATTERN: usize = 2;
pub(super) const MOST_BESIDES: usize = 1000;
/// A name is taken back after this, plus up to half as much again.
pub(super) const LIFE: Duration = Duration::from_secs(3600);
/// A name whose answer the proxy has not acknowledged yet is checked again after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How many names of a pattern a proxy may have.
pub(super) fn most_of(pattern: &str) -> usize {
    if pattern.starts_with('*') {
        MOST_OF_WILDCARD
    } else {
        MOST_OF_NAME
    }
}

/// Whether these are too many names for a chain with so many patterns.
pub(super) fn is_full(names: usize, patterns: usize) -> bool {
    names > MOST_PER_PATTERN * patterns + MOST_BESIDES
}

/// How long a name stays: names that came together do not all leave together.
pub(super) fn life(id: Id) -> Duration {
    // Steps of the golden ratio are spread evenly from any start.
    let part = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    LIFE + LIFE.mul_f64(part as f64 / f64::from(u32::MAX) / 2.0)
}
