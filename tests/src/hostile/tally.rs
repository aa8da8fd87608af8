//! What a run has seen: one summary of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// A change of the platform's arrives within this.
pub(super) const PROMPT: Duration = Duration::from_secs(1);
/// How many codes are shown.
const TOP: usize = 12;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) seed: u64,
    pub(super) elapsed: Duration,
    pub(super) steps: u64,
    pub(super) objects: usize,
    pub(super) disturbances: usize,
    /// The most memory that the agent had, in bytes.
    pub(super) memory: u64,
    /// What was refused by a proxy, in its words.
    pub(super) refused: BTreeSet<String>,
    /// Envoy's counters of what it rejected: of those that are gone, and of the one that runs.
    rejected: [u64; 2],
    restarts: u64,
    codes: BTreeMap<String, usize>,
    last: BTreeSet<String>,
    arrivals: Vec<Duration>,
    rotations: Vec<Duration>,
}

impl Tally {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// A change of the platform's took so long.
    pub(super) fn arrival(&mut self, took: Duration) {
        self.arrivals.push(took);
    }

    /// A rotation of the platform's took so long.
    pub(super) fn rotation(&mut self, took: Duration) {
        self.rotations.push(took);
    }

    /// What Envoy's counters say.
    pub(super) fn rejected(&mut self, count: u64) {
        let [_, now] = &mut self.rejected;
        *now = count;
    }

    /// Envoy was restarted, so its counters start again from 0.
    pub(super) fn restarted(&mut self) {
        let [before, now] = self.rejected;
        self.rejected = [before + now, 0];
        self.restarts += 1;
    }

    /// Counts the findings of `/api/status` that were not there at the last look.
    pub(super) fn findings(&mut self, status: &Value) {
        let mut now = BTreeSet::new();
        for finding in status["refusals"].as_array().into_iter().flatten() {
            let (code, text) = (finding["code"].as_str().unwrap_or_default(), finding.to_string());
            if !self.last.contains(&text) {
                *self.codes.entry(code.to_owned()).or_default() += 1;
            }
            if code == "refused-by-proxy" {
                self.refused
                    .insert(format!("{:.600}", finding["message"].as_str().unwrap_or(&text)));
            }
            now.insert(text);
        }
        self.last = now;
    }
}

/// How long changes took, and how many took too long.
fn quantiles(arrivals: &[Duration]) -> String {
    let mut sorted = arrivals.to_vec();
    sorted.sort();
    let at = |percent: usize| {
        let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(index).copied().unwrap_or_default().as_millis()
    };
    let slow = sorted.iter().filter(|took| **took > PROMPT).count();
    format!(
        "p50 {} ms, p99 {} ms, max {} ms, {slow} of {} above {} ms",
        at(50),
        at(99),
        at(100),
        sorted.len(),
        PROMPT.as_millis()
    )
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut codes: Vec<_> = self.codes.iter().collect();
        codes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let codes: Vec<_> = codes
            .iter()
            .take(TOP)
            .map(|(code, count)| format!("{code} {count}"))
            .collect();
        writeln!(
            f,
            "tenants: {} s, seed {}: {} steps, {} objects written",
            self.elapsed.as_secs(),
            self.seed,
            self.steps,
            self.objects
        )?;
        writeln!(f, "findings: {}", codes.join(", "))?;
        writeln!(
            f,
            "refused by {} Envoys: {} times ({} reasons told of the objects); agent's memory up to {} MB",
            self.restarts + 1,
            self.rejected.iter().sum::<u64>(),
            self.refused.len(),
            self.memory / 1_000_000
        )?;
        writeln!(f, "a change of the platform's: {}", quantiles(&self.arrivals))?;
        writeln!(f, "a rotation of the platform's: {}", quantiles(&self.rotations))?;
        write!(f, "disturbances: {}", self.disturbances)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_finding_counts_once_as_long_as_it_stays() {
        let mut tally = Tally::default();
        let status = json!({"refusals": [{"code": "bad-host", "object": "b"}, {"code": "refused-by-proxy", "message": "why"}]});
        tally.findings(&status);
        tally.findings(&status);
        tally.findings(&json!({"refusals": []}));
        tally.findings(&status);
        let text = tally.to_string();
        assert!(text.contains("bad-host 2, refused-by-proxy 2"), "{text}");
        assert_eq!(tally.refused, BTreeSet::from(["why".to_owned()]));
    }

    #[test]
    fn quantiles_are_of_what_arrived() {
        let mut tally = Tally::default();
        (1..=200).for_each(|i| tally.arrival(Duration::from_millis(i * 10)));
        let text = tally.to_string();
        assert!(
            text.contains("p50 1000 ms, p99 1980 ms, max 2000 ms, 100 of 200"),
            "{text}"
        );
    }
}
