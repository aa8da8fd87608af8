//! Follows the snapshots for all streams at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::residents::Residents;
use crate::snapshot::Snapshot;
use crate::xds::proxies::Proxies;

/// How often the hub looks for names that have been there long enough.
const TICK: Duration = Duration::from_secs(1);

/// See the module; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    residents: Arc<Mutex<Residents>>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl Hub {
    pub(crate) fn new(snapshots: watch::Receiver<Arc<Snapshot>>, proxies: Proxies) -> Self {
        let snapshot = Arc::clone(&snapshots.borrow());
        Self {
            residents: Arc::new(Mutex::new(Residents::new(snapshot, proxies))),
            snapshots,
        }
    }

    /// Runs as long as there are snapshots.
    pub(crate) async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                changed = self.snapshots.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.snapshots.mark_unchanged();
                    self.with(|_, _| ());
                }
                _ = tick.tick() => self.with(Residents::expire),
            }
        }
    }

    /// Does something with the newest snapshot: the first to ask wakes the other streams that it affects.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Residents, Instant) -> T) -> T {
        // A panic while the lock was held can at worst have left a name unanswered.
        let mut residents = self.residents.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = Arc::clone(&self.snapshots.borrow());
        residents.follow(snapshot);
        work(&mut residents, Instant::now())
    }
}
