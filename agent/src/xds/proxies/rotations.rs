//! How long proxies waited for credentials, from publication to confirmation, since the agent started.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Held;
use crate::snapshot::{Snapshot, TypeUrl};

/// Upper bounds in seconds: a rotation takes milliseconds, but one that takes minutes must also be visible.
const BOUNDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// A histogram of durations.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeBuckets {
    /// Each upper bound in seconds, and how many durations are at most that and above the one before; the last is
    /// infinite.
    pub buckets: Vec<(f64, u64)>,
    /// The sum of all durations.
    pub sum: Duration,
}

impl Default for TimeBuckets {
    fn default() -> Self {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        Self {
            buckets: bounds.map(|bound| (bound, 0)).collect(),
            sum: Duration::ZERO,
        }
    }
}

impl TimeBuckets {
    /// How many durations there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    fn add(&mut self, duration: Duration) {
        self.sum += duration;
        let seconds = duration.as_secs_f64();
        if let Some((_, count)) = self.buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
            *count += 1;
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct RotationTimes(Mutex<TimeBuckets>);

impl RotationTimes {
    /// The current buckets.
    #[must_use]
    pub fn buckets(&self) -> TimeBuckets {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that a proxy has a Secret. If the snapshot already has a later version, that is the one to wait for.
    pub(super) fn note(&self, name: &str, held: &Held, snapshot: &Snapshot) {
        let served = snapshot.get(TypeUrl::Secret, name);
        let served = served.filter(|resource| *resource.version() == held.version);
        if let Some(waited) = served.and_then(|resource| held.waited(resource.since())) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).add(waited);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::demand::Delta;
    use crate::snapshot::{Publisher, Version};
    use crate::xds::Acknowledgement;
    use crate::xds::proxies::{Proxies, ProxyStream};

    const NAME: &str = "ns/a";

    fn publish(publisher: &mut Publisher, body: &[u8]) -> Version {
        publisher.update(Instant::now(), |draft| {
            draft.set(TypeUrl::Secret, NAME, body.to_vec());
        });
        let snapshot = publisher.snapshot();
        Arc::clone(snapshot.get(TypeUrl::Secret, NAME).unwrap().version())
    }

    fn want(stream: &mut ProxyStream) {
        stream.want(&Delta {
            added: vec![NAME.into()],
            removed: Vec::new(),
        });
    }

    fn confirm(stream: &ProxyStream, version: &Version, publisher: &Publisher) {
        let said = Acknowledgement {
            resources: vec![(NAME.into(), Some(Arc::clone(version)))],
            refused: None,
        };
        stream.acknowledge(TypeUrl::Secret, &said, &publisher.snapshot());
    }

    #[test]
    fn each_duration_is_in_the_first_bucket_that_holds_it() {
        let mut times = TimeBuckets::default();
        for milliseconds in [1, 3, 400_000] {
            times.add(Duration::from_millis(milliseconds));
        }
        let filled: Vec<f64> = times
            .buckets
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(bound, _)| *bound)
            .collect();
        assert_eq!(filled, [0.001, 0.005, f64::INFINITY]);
        assert_eq!((times.count(), times.sum), (3, Duration::from_millis(400_004)));
    }

    #[test]
    fn whoever_asked_before_a_publication_is_counted_once_for_it() {
        let (mut publisher, _snapshots) = Publisher::new(Duration::ZERO);
        let (proxies, namespace) = (Proxies::default(), "ns".into());
        let count = || proxies.rotations().buckets().count();
        let (mut early, mut late) = (
            proxies.connect("early", &namespace),
            proxies.connect("late", &namespace),
        );
        want(&mut early);
        let first = publish(&mut publisher, b"1");
        want(&mut late);
        confirm(&late, &first, &publisher);
        assert_eq!(count(), 0, "it asked later");
        confirm(&early, &first, &publisher);
        confirm(&early, &first, &publisher);
        assert_eq!(count(), 1, "a second confirmation is none");

        std::thread::sleep(Duration::from_millis(20));
        let (second, before) = (publish(&mut publisher, b"2"), proxies.rotations().buckets().sum);
        std::thread::sleep(Duration::from_millis(30));
        confirm(&late, &second, &publisher);
        let took = proxies.rotations().buckets().sum - before;
        let expected = Duration::from_millis(30)..Duration::from_secs(20);
        assert!(expected.contains(&took), "{took:?}");

        publish(&mut publisher, b"3");
        confirm(&early, &second, &publisher);
        assert_eq!(count(), 2, "what was replaced meanwhile is not waited for");
    }
}
