//! Failures on purpose: which of them a request meets.

use crate::table::{AbortStatus, Fault};

/// What one request meets; the delay comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// How long it waits, in milliseconds.
    pub delay_ms: Option<u64>,
    /// What it is answered with.
    pub abort: Option<AbortStatus>,
}

impl Fault {
    /// Draws for both, each by itself. `draw` gives numbers in [0, 1).
    pub fn inject(&self, mut draw: impl FnMut() -> f64) -> Injected {
        let mut concerns = |percent: f64| draw() * 100.0 < percent;
        Injected {
            delay_ms: self
                .delay
                .filter(|delay| concerns(delay.percent))
                .map(|delay| delay.ms),
            abort: self
                .abort
                .filter(|abort| concerns(abort.percent))
                .map(|abort| abort.status),
        }
    }
}
