//! Checks everything from time to time, regardless of the watcher: some file systems have no events. It runs in its own
//! thread, so that it does not delay the one that follows the events.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::tree::Tree;

const EVERY: Duration = Duration::from_secs(10);
/// Polling takes at most one part in this many of a processor, so it is rarer if there are many files.
const SHARE: u32 = 200;
/// The longest interval, however many files there are.
const RAREST: Duration = Duration::from_secs(120);
/// How often to check whether a running poll has ended.
const ASK: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug)]
pub(super) struct Poll {
    root: PathBuf,
    next: Instant,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    end: Receiver<io::Result<Tree>>,
}

impl Poll {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            next: Instant::now() + EVERY,
            running: None,
        }
    }

    /// When to call [`Self::take`].
    pub(super) fn due(&self) -> Instant {
        match &self.running {
            Some(_) => Instant::now() + ASK,
            None => self.next,
        }
    }

    /// Begins a poll that is due; returns the result of one that has ended.
    pub(super) fn take(&mut self) -> Option<io::Result<Tree>> {
        let Some(running) = &self.running else {
            if Instant::now() >= self.next {
                self.running = self.begin();
            }
            return None;
        };
        let found = match running.end.try_recv() {
            Ok(found) => Some(found),
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => None,
        };
        self.next = Instant::now() + (running.since.elapsed() * SHARE).clamp(EVERY, RAREST);
        self.running = None;
        found
    }

    /// If the system cannot create a thread, it is tried again next time.
    fn begin(&mut self) -> Option<Running> {
        let since = Instant::now();
        self.next = since + EVERY;
        let (sender, end) = mpsc::channel();
        let root = self.root.clone();
        let scan = move || drop(sender.send(Tree::scan(&root)));
        let thread = thread::Builder::new()
            .name("directory-poll".to_owned())
            .spawn(scan);
        thread.ok().map(|_| Running { since, end })
    }
}
