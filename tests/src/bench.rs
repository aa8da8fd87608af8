//! What the benchmarks share: times and their quantiles, the floor, and material and Secrets by the thousand.

mod bare;
pub mod filter;
pub mod floor;
pub mod gateway;
pub mod identity;
pub mod material;
pub mod scale;
pub mod secrets;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::client::{Connection, Tls};
use crate::pki::Leaf;

/// Envoy takes its time for ten thousand certificates.
const LIMIT: Duration = Duration::from_secs(40);

/// Says a line of the report.
pub fn say(line: &str) {
    // A closed standard output must not end the run.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Shakes hands until a certificate is shown; gives how long that took.
///
/// # Errors
/// It is not shown in time.
pub async fn shown(port: u16, host: &str, leaf: &Leaf, tls: &Tls) -> Result<Duration> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if Connection::open(port, host, tls)
            .await
            .is_ok_and(|open| open.leaf == leaf.der)
        {
            return Ok(start.elapsed());
        }
    }
    bail!("{host}: serial {} is not shown", leaf.serial)
}

/// Times of one kind, of all rounds.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One more.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Those of another run too.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds; 0 without any.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut times = self.0.clone();
        times.sort_unstable();
        let at = (times.len().saturating_sub(1) as f64 * share).round() as usize;
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }

    /// The median.
    #[must_use]
    pub fn p50(&self) -> f64 {
        self.quantile(0.5)
    }

    /// What one in a hundred exceeds.
    #[must_use]
    pub fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    /// Both, as a row of the table.
    pub fn row(&self, name: &str) {
        say(&format!("{name:<60}{:>9.2}{:>9.2}", self.p50(), self.p99()));
    }
}

/// The head of the table.
pub fn head(rounds: u32) {
    let title = format!("{rounds} interleaved rounds, milliseconds");
    say(&format!("{title:<60}{:>9}{:>9}", "p50", "p99"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_do_not_depend_on_the_order() {
        let mut times = Times::default();
        assert_eq!(times.p50(), 0.0);
        for millis in (0..=100).rev() {
            times.push(Duration::from_millis(millis));
        }
        assert_eq!((times.p50(), times.p99()), (50.0, 99.0));
    }
}
