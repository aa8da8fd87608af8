//! Injected faults: which of them affect a request.

use crate::draw::Draw;
use crate::rules::{AbortStatus, ArchivedFault};

/// The body of answers from Envoy's fault filter.
pub const ABORTED: &str = "fault filter abort";

/// What happens to one request; the delay comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Injected {
    /// How long it waits, in milliseconds.
    pub(crate) delay_ms: Option<u64>,
    /// What it is answered with.
    pub(crate) abort: Option<AbortStatus>,
}

impl ArchivedFault {
    /// Decides both at random, independently. `draw` returns numbers in [0, 1).
    pub(crate) fn inject(&self, draw: &mut impl FnMut(Draw) -> f64) -> Injected {
        let mut concerns = |of: Draw, percent: f64| draw(of) * 100.0 < percent;
        Injected {
            delay_ms: (self.delay.as_ref())
                .filter(|delay| concerns(Draw::Delay, delay.percent.to_native()))
                .map(|delay| delay.ms.to_native()),
            abort: (self.abort.as_ref())
                .filter(|abort| concerns(Draw::Abort, abort.percent.to_native()))
                .map(|abort| (&abort.status).into()),
        }
    }
}
