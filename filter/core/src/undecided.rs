//! Why a request cannot be decided on.

use crate::regex::BadRegex;
use crate::table::Corrupt;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// What the table says of it cannot be read.
    Corrupt,
    /// Its regexes ask for more work than one request may cost.
    TooExpensive,
    /// What it is rewritten to is too long.
    TooLong,
}

impl From<Corrupt> for Undecided {
    fn from(_: Corrupt) -> Self {
        Self::Corrupt
    }
}

impl From<BadRegex> for Undecided {
    /// Every pattern of a table was compiled when the table was made.
    fn from(_: BadRegex) -> Self {
        Self::Corrupt
    }
}
