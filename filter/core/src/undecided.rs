//! Why a request cannot be decided on.

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
