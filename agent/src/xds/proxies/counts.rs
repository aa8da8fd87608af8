//! How often a proxy said yes or no.

/// Of one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckCounts {
    /// Responses that it confirmed.
    pub confirmed: u64,
    /// Responses that it refused.
    pub refused: u64,
}

impl AckCounts {
    pub(super) fn add(&mut self, is_refusal: bool) {
        if is_refusal {
            self.refused += 1;
        } else {
            self.confirmed += 1;
        }
    }
}
