//! How many names a proxy may hold, and for how long.

use std::time::Duration;

use super::resident::Id;

/// Names of one wildcard that a proxy may hold.
pub(super) const MOST_OF_WILDCARD: usize = 256;
/// Spellings of one name.
pub(super) const MOST_OF_NAME: usize = 4;
/// Names of one chain: so many for each of its patterns, and these.
pub(super) const MOST_PER_PATTERN: usize = 2;
pub(super) const MOST_BESIDES: usize = 1000;
/// After this, and up to half as much again, a name is taken back.
pub(super) const LIFE: Duration = Duration::from_secs(3600);
/// A name whose answer the proxy has not taken yet is looked at again after this.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How many names of a pattern a proxy may hold.
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

/// How long a name stays: not all that came together go together.
pub(super) fn life(id: Id) -> Duration {
    // Steps of the golden ratio are spread evenly, wherever one begins.
    let part = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    LIFE + LIFE.mul_f64(part as f64 / f64::from(u32::MAX) / 2.0)
}
