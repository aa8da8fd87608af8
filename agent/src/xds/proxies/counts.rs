//! How many responses a proxy confirmed or rejected.

/// The numbers for one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckCounts {
    /// Responses that it confirmed.
    pub confirmed: u64,
    /// Responses that it rejected.
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
