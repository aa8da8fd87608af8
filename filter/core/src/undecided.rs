//! Why no decision about a request is possible.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// What the table says about it cannot be read.
    Corrupt,
    /// Its regexes need more work than allowed for one request.
    TooExpensive,
    /// What it is rewritten to is too long.
    TooLong,
}
