//! A directory of manifests and PEM folders, followed as it changes.
//!
//! A separate thread waits for the file system's events (without the runtime's timers, whose resolution is a
//! millisecond), reads only the units that changed, and sends the differences. A unit is a manifest file or a PEM
//! folder. A unit that is half written waits for its other half, and nothing else waits for it. A slow poll finds what
//! the watcher misses.

mod below;
mod burst;
mod index;
mod kept;
mod memory;
mod poll;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::mem;
use std::os::unix::fs::MetadataExt as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use sealgate_model::manifest::{self, Namespaces};
use sealgate_model::{Code, Object, ObjectRef, SecretObject, SourceEvent, SourceObject, Step};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;

use self::below::keys_below;
use self::burst::Burst;
use self::index::UnitIndex;
use self::memory::UnreadMemory;
use self::poll::Poll;
use self::tree::{Tree, Visit};
use crate::kept::unread::{KeptUnread, UnreadNames};

/// A pair that does not match, or a file that is cut off or not yet closed, may be half of a change: it is read when it
/// is complete, or after this long.
const TORN: Duration = Duration::from_millis(150);
/// For reading everything at the start.
const MOST_THREADS: usize = 8;

/// Why a directory cannot be read at all.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// It is missing or cannot be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The system cannot watch it.
    #[error("cannot watch {0}: {1}")]
    Watch(PathBuf, notify::Error),
}

/// A directory (or one file).
#[derive(Clone, Debug)]
pub struct DirectorySource {
    /// Its path.
    pub root: PathBuf,
    /// The namespaces of objects that name none.
    pub namespaces: Namespaces,
    /// Whether a Secret looks complete; one that does not is read again for a short time before it is sent.
    pub settled: fn(&SecretObject) -> bool,
}

impl DirectorySource {
    /// Reads everything once.
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn read_once(&self) -> Result<Vec<SourceObject>, DirectoryError> {
        let tree = self.scan()?;
        let mut index = UnitIndex::default();
        for path in tree.units() {
            index.set(path, tree.file_ref(path), tree.read(path, &self.namespaces));
        }
        Ok(index.all())
    }

    /// Follows the directory until the receiver is gone.
    ///
    /// # Errors
    /// The root cannot be read or watched.
    pub fn spawn(self, sender: UnboundedSender<Step>) -> Result<(), DirectoryError> {
        self.follow(sender, None)
    }

    /// The same, but keeps the objects of files that can no longer be read, so that they are still known after a
    /// restart.
    ///
    /// # Errors
    /// The root cannot be read or watched.
    pub fn follow(
        self,
        sender: UnboundedSender<Step>,
        kept: Option<(KeptUnread, UnreadNames)>,
    ) -> Result<(), DirectoryError> {
        let (events, receiver) = mpsc::channel();
        let watcher = notify::recommended_watcher(events)
            .map_err(|error| DirectoryError::Watch(self.root.clone(), error))?;
        let mut follower = DirectoryFollower {
            tree: Tree::default(),
            source: self,
            index: UnitIndex::default(),
            watcher,
            watched: BTreeMap::new(),
            writers: BTreeSet::new(),
            waiting: BTreeMap::new(),
            memory: UnreadMemory::new(kept),
        };
        let (memory, root) = (&mut follower.memory, &follower.source.root);
        let told = memory.tell(&mut follower.index, root);
        told.map_err(|error| follower.source.unreadable(error))?;
        follower.scan()?;
        let units: Vec<Arc<Path>> = follower.tree.units().cloned().collect();
        // In their current state: at the start, there is nothing better.
        follower.judge_all(&units);
        let all = follower.index.all();
        follower.memory.note(&mut follower.index, &follower.tree);
        if sender.send(vec![SourceEvent::Reset(all)]).is_ok() {
            // The name is shown in lists of threads. Without a thread, the agent cannot run anyway.
            let body = move || follower.run(&receiver, &sender);
            drop(thread::Builder::new().name("directory".to_owned()).spawn(body));
        }
        Ok(())
    }

    fn scan(&self) -> Result<Tree, DirectoryError> {
        Tree::scan(&self.root).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, error: io::Error) -> DirectoryError {
        DirectoryError::Unreadable(self.root.clone(), error)
    }

    /// Whether this may be a half-written change.
    fn is_torn(&self, entries: &[SourceObject]) -> bool {
        let is_half = |entry: &SourceObject| match &entry.object {
            Some(Object::Secret(secret)) => !(self.settled)(secret),
            Some(_) => false,
            None => entry
                .findings
                .iter()
                .any(|finding| matches!(finding.code, Code::InvalidYaml | Code::NotAnObject)),
        };
        // A file that is being written in place is empty for a moment: its objects are not deleted.
        entries.is_empty() || entries.iter().any(is_half)
    }
}

/// The objects of a text, as if it were the only file of a directory.
#[must_use]
pub fn read_text(name: &str, text: &[u8], namespaces: &Namespaces) -> Vec<SourceObject> {
    let mut index = UnitIndex::default();
    let unit = Arc::from(Path::new(name));
    index.set(
        &unit,
        ObjectRef::file(name),
        manifest::read(name, text, namespaces),
    );
    index.all()
}

/// The state of a directory that is followed.
struct DirectoryFollower {
    source: DirectorySource,
    tree: Tree,
    index: UnitIndex,
    watcher: RecommendedWatcher,
    /// With device and inode: a folder that was replaced has lost its watch.
    watched: BTreeMap<Arc<Path>, (u64, u64)>,
    /// Files that were written to and are not closed yet.
    writers: BTreeSet<PathBuf>,
    /// Incomplete units, and when they are read anyway.
    waiting: BTreeMap<Arc<Path>, Instant>,
    /// It outlives the agent.
    memory: UnreadMemory,
}

impl DirectoryFollower {
    fn run(mut self, events: &mpsc::Receiver<notify::Result<notify::Event>>, sender: &UnboundedSender<Step>) {
        let mut poll = Poll::new(&self.source.root);
        while !sender.is_closed() {
            let next = poll.due();
            let until = self.waiting.values().min().map_or(next, |first| next.min(*first));
            let Some(burst) = Burst::gather(events, until) else {
                return;
            };
            self.take(&burst, poll.take());
            self.settle(Instant::now());
            if self.changes().is_some_and(|step| sender.send(step).is_err()) {
                return;
            }
        }
    }

    /// What the receiver does not know yet.
    fn changes(&mut self) -> Option<Step> {
        let mut changes = self.index.changes();
        let again = self.index.take_again();
        again.iter().for_each(|unit| self.judge(unit));
        changes.extend(self.index.changes());
        self.memory.note(&mut self.index, &self.tree);
        (!changes.is_empty()).then_some(changes)
    }

    /// Reads what has changed.
    fn take(&mut self, burst: &Burst, polled: Option<io::Result<Tree>>) {
        for (path, open) in &burst.paths {
            if *open {
                self.writers.insert(path.clone());
            } else {
                self.writers.remove(path);
            }
            self.forget_watches(path);
        }
        if burst.lost {
            self.forget_watches(Path::new("/"));
        }
        match self.look_around(burst, polled) {
            Ok(dirty) => dirty.iter().for_each(|unit| self.look(unit)),
            // The root is missing for now: everything is kept until it comes back.
            Err(error) => complain(&error),
        }
    }

    /// The watch of a removed folder is gone, with those below it; the next folder of this name may have the same
    /// inode.
    fn forget_watches(&mut self, path: &Path) {
        let folders = keys_below(&self.watched, path);
        for folder in &folders {
            self.watched.remove(folder);
        }
        self.tree.touch(folders.iter());
    }

    /// Visits what changed, and returns the units that must be read.
    fn look_around(
        &mut self,
        burst: &Burst,
        polled: Option<io::Result<Tree>>,
    ) -> Result<BTreeSet<Arc<Path>>, DirectoryError> {
        let polled = polled.and_then(|polled| match polled {
            Ok(tree) => Some(tree),
            Err(error) => {
                complain(&self.source.unreadable(error));
                None
            }
        });
        // Newer changes may have been seen since the poll: what differs only says where to look.
        let suspected = polled.map(|tree| self.tree.suspects(&tree));
        let moved = self.tree.visits(burst.paths.keys()).filter(|_| !burst.lost);
        match (moved, suspected) {
            (Some(moved), None) => self.visit(moved),
            (Some(mut moved), Some(Some(suspected))) => {
                moved.extend(suspected);
                self.visit(moved)
            }
            _ => self.scan(),
        }
    }

    /// Visits parts of the tree again, and returns the units that are there.
    fn visit(&mut self, mut visits: BTreeSet<Visit>) -> Result<BTreeSet<Arc<Path>>, DirectoryError> {
        let mut dirty = BTreeSet::new();
        loop {
            for visit in &visits {
                self.tree.again(visit);
                dirty.extend(self.tree.units_of(visit));
                self.drop_gone(visit.path());
            }
            // Files that were put into a new folder before it was watched would be missed.
            let watched = self.watch();
            let Some(again) = self.tree.visits(watched.iter()) else {
                dirty.extend(self.scan()?);
                return Ok(dirty);
            };
            if again.is_empty() {
                return Ok(dirty);
            }
            visits = again;
        }
    }

    /// Walks the whole tree, and returns the units that are new or changed.
    fn scan(&mut self) -> Result<BTreeSet<Arc<Path>>, DirectoryError> {
        let mut dirty = BTreeSet::new();
        loop {
            let before = mem::replace(&mut self.tree, self.source.scan()?);
            dirty.extend(self.tree.changed_since(&before));
            self.drop_gone(Path::new("/"));
            self.tree.touch(self.watched.keys());
            let watched = self.watch();
            if let Some(visits) = self.tree.visits(watched.iter()) {
                dirty.extend(self.visit(visits)?);
                return Ok(dirty);
            }
        }
    }

    /// Forgets units at and below a path that no longer exist.
    fn drop_gone(&mut self, path: &Path) {
        let is_unseen = |unit: &&Arc<Path>| !self.tree.holds(unit);
        let unseen: Vec<Arc<Path>> = self.index.units_at(path).filter(is_unseen).cloned().collect();
        for unit in &unseen {
            self.waiting.remove(unit);
            if self.tree.may_hold(unit) {
                self.index.hide(unit);
            } else {
                self.index.remove(unit);
            }
        }
    }

    /// Watches exactly the folders that need it now; returns the newly watched ones.
    fn watch(&mut self) -> BTreeSet<PathBuf> {
        let mut more = BTreeSet::new();
        for folder in self.tree.take_touched() {
            if !self.tree.needs(&folder) {
                if self.watched.remove(&folder).is_some() {
                    // The watch of a removed folder is already gone.
                    let _ = self.watcher.unwatch(&folder);
                }
                continue;
            }
            let Ok(metadata) = fs::metadata(&folder) else {
                continue;
            };
            let id = (metadata.dev(), metadata.ino());
            if self.watched.insert(Arc::clone(&folder), id) == Some(id) {
                continue;
            }
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(more.insert(folder.to_path_buf())),
                Err(error) => {
                    // Tried again at the next check: permissions may come back.
                    self.watched.remove(&folder);
                    tracing::warn!(path = ?folder, %error, "cannot watch the folder; polling for changes");
                }
            }
        }
        more
    }

    /// Reads a unit if it is complete; otherwise, lets it wait for its other half.
    fn look(&mut self, unit: &Arc<Path>) {
        let is_written = |path: &PathBuf| self.tree.is_read_by(path, unit);
        if !self.writers.iter().any(is_written) {
            let entries = self.tree.read(unit, &self.source.namespaces);
            if !self.source.is_torn(&entries) {
                return self.tell(unit, entries);
            }
        }
        self.waiting
            .entry(Arc::clone(unit))
            .or_insert_with(|| Instant::now() + TORN);
    }

    /// Reads those that have waited long enough.
    fn settle(&mut self, now: Instant) {
        let due = |(unit, until): (&Arc<Path>, &Instant)| (*until <= now).then(|| Arc::clone(unit));
        let due: Vec<Arc<Path>> = self.waiting.iter().filter_map(due).collect();
        due.iter().for_each(|unit| self.judge(unit));
    }

    /// Reads units in their current state, on all processors.
    fn judge_all(&mut self, units: &[Arc<Path>]) {
        let next = AtomicUsize::new(0);
        let (tree, namespaces) = (&self.tree, &self.source.namespaces);
        let read = || {
            let mut read = Vec::new();
            while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                read.push((unit, tree.read(unit, namespaces)));
            }
            read
        };
        let threads = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_THREADS);
        let read = thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
            let ends = threads.into_iter().map(ScopedJoinHandle::join);
            ends.map(|end| end.unwrap_or_else(|panic| resume_unwind(panic)))
                .collect::<Vec<_>>()
        });
        for (unit, entries) in read.into_iter().flatten() {
            self.tell(unit, entries);
        }
    }

    /// Reads a unit in its current state.
    fn judge(&mut self, unit: &Arc<Path>) {
        let tree = &self.tree;
        self.writers
            .retain(|path| tree.is_tied(path) && !tree.is_read_by(path, unit));
        let entries = self.tree.read(unit, &self.source.namespaces);
        self.tell(unit, entries);
    }

    fn tell(&mut self, unit: &Arc<Path>, entries: Vec<SourceObject>) {
        self.waiting.remove(unit);
        self.index.set(unit, self.tree.file_ref(unit), entries);
    }
}

fn complain(error: &DirectoryError) {
    tracing::error!(%error, "cannot read the directory; serving the known objects");
}
