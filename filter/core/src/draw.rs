//! What random numbers are drawn for.

/// A part of a decision that chance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Which of the weighted destinations.
    Destination,
    /// Whether a fault delays the request.
    Delay,
    /// Whether a fault aborts it.
    Abort,
}
