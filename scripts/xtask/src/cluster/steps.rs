//! Progress output: step n of m, what was seen, and how long it took.

use std::time::Instant;

const ALL: usize = 10;

/// Counts the steps, in two processes: outside of the cluster and inside.
pub(super) struct Steps {
    number: usize,
    begun: Instant,
}

#[expect(clippy::print_stdout, reason = "what was seen is the answer")]
impl Steps {
    pub(super) fn first() -> Self {
        Self::after(0)
    }

    pub(super) fn after(number: usize) -> Self {
        Self {
            number,
            begun: Instant::now(),
        }
    }

    pub(super) fn begin(&mut self, what: &str) {
        self.number += 1;
        self.begun = Instant::now();
        println!("step {} of {ALL}: {what}", self.number);
    }

    pub(super) fn done(&self, seen: &str) {
        println!("    {seen} ({:.1} s)", self.begun.elapsed().as_secs_f64());
    }

    pub(super) const fn were_all(&self) -> bool {
        self.number == ALL
    }
}

#[expect(clippy::print_stdout, reason = "what was seen is the answer")]
pub(super) fn all_held() {
    println!("all steps succeeded, and nothing is left of the cluster");
}
