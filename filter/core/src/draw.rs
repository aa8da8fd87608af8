//! What random numbers are drawn for.

/// A random part of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Which of the weighted destinations.
    Destination,
    /// Whether a fault delays the request.
    Delay,
    /// Whether a fault aborts it.
    Abort,
}
