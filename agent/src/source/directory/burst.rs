//! Events of the file system's watcher, collected until it pauses.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

/// A burst ends when nothing has come for this long.
const QUIET: Duration = Duration::from_micros(200);
/// A burst is processed after this long, even if it has not ended.
const LONGEST: Duration = Duration::from_millis(20);

/// What changed.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// Each path, and whether a writer still has it open.
    pub(super) paths: BTreeMap<PathBuf, bool>,
    /// Whether events were lost.
    pub(super) lost: bool,
}

impl Burst {
    /// Waits for a burst and its end. Returns an empty one if none began in time; none if the watcher is gone.
    pub(super) fn gather(events: &Receiver<notify::Result<Event>>, until: Instant) -> Option<Self> {
        let mut burst = Self::default();
        let mut end = until;
        let mut longest = None;
        loop {
            match events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => burst.add(event),
                Err(RecvTimeoutError::Timeout) => return Some(burst),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            if !burst.is_empty() {
                let longest = *longest.get_or_insert_with(|| Instant::now() + LONGEST);
                end = longest.min(Instant::now() + QUIET);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.lost
    }

    fn add(&mut self, event: notify::Result<Event>) {
        match event {
            Ok(event) if is_noise(event.kind) => {}
            Ok(event) => {
                let open = matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
                self.lost |= event.need_rescan();
                self.paths
                    .extend(event.paths.into_iter().map(|path| (path, open)));
            }
            Err(_) => self.lost = true,
        }
    }
}

/// Our own reading of files must not wake us: opening and closing a file for reading are also events.
fn is_noise(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}
