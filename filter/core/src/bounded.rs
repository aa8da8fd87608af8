//! The limit for rewritten paths.

use crate::undecided::Undecided;

/// The maximum length in bytes of what a request is rewritten or redirected to: Envoy rejects requests whose headers
/// are above 60 KB.
pub(crate) const LONGEST_PATH: usize = 64 << 10;

/// Returns a new path, unless it is too long.
pub(crate) fn bounded(new: Vec<u8>) -> Result<Vec<u8>, Undecided> {
    if new.len() > LONGEST_PATH {
        return Err(Undecided::TooLong);
    }
    Ok(new)
}
