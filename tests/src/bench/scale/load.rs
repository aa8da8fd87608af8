//! The background load: requests to existing routes, on a fixed schedule, on persistent connections to many hosts; and
//! a probe that asks every four milliseconds, which notices any stall of a worker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::line::Line;
use super::objects::{host, name, path};
use crate::bench::Times;
use crate::client::{Tls, Version};

const CONNECTIONS: usize = 100;
const PER_SECOND: usize = 200;
const PROBE_EVERY: Duration = Duration::from_millis(4);
/// How many failures are described.
const TOLD: usize = 5;

/// When a request was due, and how long from then to its answer.
type Sample = (Instant, Duration);

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Vec<Sample>>,
    probe: Mutex<Vec<Sample>>,
    failures: Mutex<Vec<(Instant, String)>>,
}

/// A running load. It ends with the value.
#[derive(Debug)]
pub(super) struct Load {
    shared: Arc<Shared>,
    begin: Instant,
    _tasks: JoinSet<()>,
}

/// What was seen during some periods.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// Of the kept load.
    pub(super) kept: Times,
    /// Of the probe.
    pub(super) probe: Times,
}

impl Window {
    /// The number of answers.
    pub(super) fn answers(&self) -> f64 {
        (self.kept.count() + self.probe.count()) as f64
    }

    /// Adds those of another period.
    pub(super) fn extend(&mut self, other: Self) {
        self.kept.extend(other.kept);
        self.probe.extend(other.probe);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Starts it on the first `hosts` hosts.
    pub(super) fn start(port: u16, hosts: usize) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let begin = Instant::now();
        let period = Duration::from_secs(1) * u32::try_from(CONNECTIONS)? / u32::try_from(PER_SECOND)?;
        for at in 0..CONNECTIONS {
            let route = at * hosts / CONNECTIONS;
            let version = if at % 2 == 0 { Version::H1 } else { Version::H2 };
            let line = Line::new(port, &host(route), Some(Tls::new(version, None)?));
            let first = begin + period * u32::try_from(at)? / u32::try_from(CONNECTIONS)?;
            tasks.spawn(keep(Arc::clone(&shared), line, path(&name(route)), first, period));
        }
        let line = Line::new(port, &host(0), Some(Tls::new(Version::H1, None)?));
        tasks.spawn(probe(Arc::clone(&shared), line, path(&name(0))));
        Ok(Self {
            shared,
            begin,
            _tasks: tasks,
        })
    }

    /// What was due from `from` until now, and answered.
    pub(super) fn since(&self, from: Instant) -> Window {
        let of = |samples: &Mutex<Vec<Sample>>| {
            let mut times = Times::new();
            let samples = lock(samples);
            let inside = samples.iter().filter(|(due, _)| *due >= from);
            inside.for_each(|(_, took)| times.push(*took));
            times
        };
        Window {
            kept: of(&self.shared.kept),
            probe: of(&self.shared.probe),
        }
    }

    /// How many requests failed so far.
    pub(super) fn failed(&self) -> usize {
        lock(&self.shared.failures).len()
    }

    /// The first failures, with seconds since the start.
    pub(super) fn failures(&self) -> Vec<String> {
        let failures = lock(&self.shared.failures);
        let first = failures.iter().take(TOLD);
        let told = first.map(|(at, what)| {
            let seconds = at.duration_since(self.begin).as_secs_f64();
            format!("{seconds:.3} s: {what}")
        });
        told.collect()
    }

    /// Checks that there is enough load, and that nothing failed while it started.
    ///
    /// # Errors
    /// The failed condition.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(self.failed() == 0, "the load fails: {:?}", self.failures());
        let count = lock(&self.shared.kept).len();
        ensure!(count >= CONNECTIONS, "the load is none: {count} answers");
        Ok(())
    }
}

async fn keep(shared: Arc<Shared>, mut line: Line, path: String, first: Instant, period: Duration) {
    let mut tick = tokio::time::interval_at(first.into(), period);
    // Delays count: a request that waits for an earlier one has waited since it was due.
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        let due = tick.tick().await.into_std();
        ask(&shared, &shared.kept, &mut line, &path, due).await;
    }
}

async fn probe(shared: Arc<Shared>, mut line: Line, path: String) {
    let mut tick = tokio::time::interval(PROBE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        ask(&shared, &shared.probe, &mut line, &path, Instant::now()).await;
    }
}

async fn ask(shared: &Shared, samples: &Mutex<Vec<Sample>>, line: &mut Line, path: &str, due: Instant) {
    let failure = match line.get(path).await {
        Ok(answer) if answer.status == 200 => {
            lock(samples).push((due, due.elapsed()));
            return;
        }
        Ok(answer) => format!("{path}: {}", answer.status),
        Err(error) => format!("{path}: {error:#}"),
    };
    lock(&shared.failures).push((Instant::now(), failure));
}
