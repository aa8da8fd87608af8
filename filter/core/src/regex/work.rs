//! What the regexes of one request may cost together. Each engine is linear in the value, but what it does for each byte
//! grows with the pattern: `.*a.{4000}b` makes a new state of some thousand parts at every byte.

use std::cell::Cell;

use crate::undecided::Undecided;

/// A unit is a byte of a value, or a part of a state that has to be made: some ten nanoseconds in a worker, so a tenth of
/// a second for all. An ordinary request takes some hundred.
pub(super) const WORK_PER_REQUEST: usize = 8 << 20;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Work(Cell<usize>);

impl Default for Work {
    fn default() -> Self {
        Self(Cell::new(WORK_PER_REQUEST))
    }
}

impl Work {
    /// A new request has all of it.
    pub(super) fn renew(&self) {
        self.0.set(WORK_PER_REQUEST);
    }

    /// Takes some, or all that is left.
    ///
    /// # Errors
    /// There was not enough, and nothing is left.
    pub(super) fn spend(&self, units: usize) -> Result<(), Undecided> {
        let left = self.0.get().checked_sub(units);
        self.0.set(left.unwrap_or_default());
        left.map(drop).ok_or(Undecided::TooExpensive)
    }

    /// That there is some.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn check(&self) -> Result<(), Undecided> {
        if self.0.get() == 0 {
            return Err(Undecided::TooExpensive);
        }
        Ok(())
    }

    /// Takes what making a value of so many bytes costs. What was made is kept, so whoever asks next does not pay for it:
    /// it is an error only for what comes after it.
    pub(super) fn made(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes / 2));
    }

    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        WORK_PER_REQUEST - self.0.get()
    }
}
