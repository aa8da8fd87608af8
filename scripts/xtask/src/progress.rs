//! Progress output of a task: step n of m, and at the end, how long it took.

use std::fs;

use anyhow::{Context as _, Result};

/// Ticks per second in what Linux tells programs, on every architecture.
const TICKS: f64 = 100.0;

/// The steps of a task.
#[derive(Debug)]
pub(crate) struct Progress {
    step: usize,
    steps: usize,
}

#[expect(clippy::print_stdout, reason = "whoever waits has to know for what")]
impl Progress {
    pub(crate) const fn of(steps: usize) -> Self {
        Self { step: 0, steps }
    }

    /// Starts the next step.
    pub(crate) fn next(&mut self, what: &str) {
        self.step += 1;
        println!("step {} of {}: {what}", self.step, self.steps);
    }

    /// Ends the task.
    pub(crate) fn end(&self, what: &str) {
        println!("{what}");
    }
}

/// Minutes of processor time of this process and those that it waited for, including cargo and compilers.
pub(crate) fn minutes() -> Result<f64> {
    parse(&fs::read_to_string("/proc/self/stat")?).context("/proc/self/stat")
}

fn parse(stat: &str) -> Option<f64> {
    // A program's name may contain anything; after it, there are numbers.
    let (_, fields) = stat.rsplit_once(')')?;
    let own_and_children = fields.split_whitespace().skip(11).take(4);
    let ticks: Vec<f64> = own_and_children
        .map(|field| field.parse().ok())
        .collect::<Option<_>>()?;
    (ticks.len() == 4).then(|| ticks.iter().sum::<f64>() / TICKS / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_time_and_that_of_children_is_added() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 200 0 0 600 1200 1800 2400 20 0 1 0 5 0 0\n";
        assert_eq!(parse(stat), Some(1.0));
        assert_eq!(parse("7 (a) S 1 7"), None);
        minutes().unwrap();
    }
}
