//! How long what is written in a path's place may be.

use crate::undecided::Undecided;

/// What a request is rewritten or redirected to, in bytes: Envoy takes no request whose headers are above 60 KB.
pub(crate) const LONGEST_PATH: usize = 64 << 10;

/// What is written in a path's place, unless it is too long.
pub(crate) fn bounded(new: Vec<u8>) -> Result<Vec<u8>, Undecided> {
    if new.len() > LONGEST_PATH {
        return Err(Undecided::TooLong);
    }
    Ok(new)
}
