//! The maximum cost of all regexes for one request. Each engine is linear in the value, but the work for each byte
//! grows with the pattern: `.*a.{4000}b` makes a new state with thousands of parts at every byte.

use std::cell::Cell;

use crate::undecided::Undecided;

/// A unit is a byte of a value, or a part of a state that must be made: about ten nanoseconds in a worker, so a tenth
/// of a second for all. An ordinary request takes a few hundred.
pub(super) const WORK_PER_REQUEST: usize = 8 << 20;

/// The work that is left.
#[derive(Debug)]
pub(super) struct Work(Cell<usize>);

impl Default for Work {
    fn default() -> Self {
        Self(Cell::new(WORK_PER_REQUEST))
    }
}

impl Work {
    /// Resets it for a new request.
    pub(super) fn renew(&self) {
        self.0.set(WORK_PER_REQUEST);
    }

    /// Takes some work, or all that is left.
    ///
    /// # Errors
    /// There was not enough, and nothing is left.
    pub(super) fn spend(&self, units: usize) -> Result<(), Undecided> {
        let left = self.0.get().checked_sub(units);
        self.0.set(left.unwrap_or_default());
        left.map(drop).ok_or(Undecided::TooExpensive)
    }

    /// Checks that there is some left.
    ///
    /// # Errors
    /// There is none left.
    pub(super) fn check(&self) -> Result<(), Undecided> {
        if self.0.get() == 0 {
            return Err(Undecided::TooExpensive);
        }
        Ok(())
    }

    /// Takes the cost of making a value of this many bytes. The value is kept for later requests, so running out of
    /// work here only fails what comes after it.
    pub(super) fn made(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes / 2));
    }

    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        WORK_PER_REQUEST - self.0.get()
    }
}
