//! Failures on purpose: which of them a request meets.

use crate::rules::{AbortStatus, ArchivedFault};

/// What one request meets; the delay comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Injected {
    /// How long it waits, in milliseconds.
    pub delay_ms: Option<u64>,
    /// What it is answered with.
    pub abort: Option<AbortStatus>,
}

impl ArchivedFault {
    /// Draws for both, each by itself. `draw` gives numbers in [0, 1).
    pub fn inject(&self, mut draw: impl FnMut() -> f64) -> Injected {
        let mut concerns = |percent: f64| draw() * 100.0 < percent;
        Injected {
            delay_ms: (self.delay.as_ref())
                .filter(|delay| concerns(delay.percent.to_native()))
                .map(|delay| delay.ms.to_native()),
            abort: (self.abort.as_ref())
                .filter(|abort| concerns(abort.percent.to_native()))
                .map(|abort| (&abort.status).into()),
        }
    }
}
