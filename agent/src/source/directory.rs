//! A directory of manifests and PEM folders, followed as it changes.
//!
//! A thread of its own waits for the file system's events (not the runtime's timers, which are a millisecond coarse),
//! lets a burst settle for half a millisecond, reads only the units that were touched, and sends what differs. A
//! unit is a manifest file or a PEM folder. A slow poll backs the watcher up.

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher};
use thiserror::Error;
use tokio::sync::mpsc::UnboundedSender;

use self::tree::Tree;
use super::manifest::{Namespaces, refused};
use super::{Entry, SourceEvent};
use crate::object::{Kind, Object, ObjectRef, SecretObject};

/// A burst is over when nothing came for this long.
const QUIET: Duration = Duration::from_micros(500);
/// A burst that does not end is looked at all the same.
const LONGEST_BURST: Duration = Duration::from_millis(20);
/// A written file that was not closed yet is given this long.
const OPEN_FILE: Duration = Duration::from_millis(5);
/// A pair that does not match, or a file that is cut off, may be half of a change: it is read again for this long.
const TORN: Duration = Duration::from_millis(150);
const TORN_PAUSE: Duration = Duration::from_millis(2);
/// How often everything is looked at, whatever the watcher says.
const POLL: Duration = Duration::from_secs(10);

/// Why a directory cannot be read at all.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// It is not there, or may not be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The system has no watcher left.
    #[error("{0} cannot be watched: {1}")]
    Watch(PathBuf, notify::Error),
}

/// A directory (or one file).
#[derive(Clone, Debug)]
pub struct DirectorySource {
    /// Its path.
    pub root: PathBuf,
    /// Where objects without a namespace belong.
    pub namespaces: Namespaces,
    /// Whether a Secret looks whole; one that does not is read again for a moment before it is told.
    pub settled: fn(&SecretObject) -> bool,
}

/// Shared, so that a change costs what changed: the rest is compared by address.
type Objects = BTreeMap<PathBuf, Vec<Arc<Entry>>>;

impl DirectorySource {
    /// Everything, once.
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn read_once(&self) -> Result<Vec<Entry>, DirectoryError> {
        let mut state = State {
            tree: self.scan()?,
            units: BTreeMap::new(),
        };
        state.fill(&self.namespaces);
        Ok(state.current().into_values().map(Arc::unwrap_or_clone).collect())
    }

    /// Follows the directory until the receiver is gone.
    ///
    /// # Errors
    /// The root cannot be read or watched.
    pub fn spawn(self, sender: UnboundedSender<SourceEvent>) -> Result<(), DirectoryError> {
        let (events, receiver) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(events)
            .map_err(|error| DirectoryError::Watch(self.root.clone(), error))?;
        let mut state = State {
            tree: self.scan()?,
            units: BTreeMap::new(),
        };
        let mut watched = BTreeSet::new();
        watch(&mut watcher, &state.tree, &mut watched);
        // Again: what was put there before the watch began would be missed.
        state.tree = self.scan()?;
        state.fill(&self.namespaces);
        let mut told = state.current();
        if sender
            .send(SourceEvent::Reset(
                told.values().map(|entry| Entry::clone(entry)).collect(),
            ))
            .is_err()
        {
            return Ok(());
        }
        let body = move || {
            let mut poll = Instant::now() + POLL;
            while !sender.is_closed() {
                let Some(touched) = gather(&receiver, poll) else {
                    return;
                };
                if Instant::now() >= poll || touched.rescan {
                    poll = Instant::now() + POLL;
                }
                self.refresh(&mut state, &touched);
                watch(&mut watcher, &state.tree, &mut watched);
                let now = state.current();
                for event in difference(&told, &now) {
                    if sender.send(event).is_err() {
                        return;
                    }
                }
                told = now;
            }
        };
        // The name is for people who look at threads; a system that cannot make one ends here anyway.
        drop(thread::Builder::new().name("directory".to_owned()).spawn(body));
        Ok(())
    }

    fn scan(&self) -> Result<Tree, DirectoryError> {
        Tree::scan(&self.root).map_err(|error| DirectoryError::Unreadable(self.root.clone(), error))
    }

    /// Reads what was touched. The tree itself is walked only if something else than a known file's content moved.
    fn refresh(&self, state: &mut State, touched: &Touched) {
        let known: Option<BTreeSet<PathBuf>> = (!touched.rescan)
            .then(|| {
                touched
                    .paths
                    .iter()
                    .map(|path| known_unit(&state.tree, path))
                    .collect()
            })
            .flatten();
        let dirty = match known {
            Some(dirty) => dirty,
            None => match self.scan() {
                Ok(tree) => {
                    let dirty = tree.changed_since(&state.tree, &touched.paths);
                    state.tree = tree;
                    dirty
                }
                Err(error) => {
                    // The root is gone for now: everything is held until it comes back.
                    tracing::error!(%error, "the directory cannot be read; what is known is served on");
                    return;
                }
            },
        };
        state.units.retain(|path, _| state.tree.units.contains_key(path));
        for path in dirty {
            if state.tree.units.contains_key(&path) {
                let entries = self.read_unit(&state.tree, &path);
                state.keep(path, entries);
            }
        }
    }

    /// Reads a unit, again for a moment if it looks torn.
    fn read_unit(&self, tree: &Tree, path: &Path) -> Vec<Entry> {
        let deadline = Instant::now() + TORN;
        loop {
            let entries = tree.read(path, &self.namespaces);
            let torn = entries.iter().any(|entry| match &entry.object {
                Some(Object::Secret(secret)) => !(self.settled)(secret),
                Some(_) => false,
                None => entry
                    .findings
                    .iter()
                    .any(|finding| finding.code == "invalid-yaml"),
            });
            // A file that is being written in place is empty for a moment: its objects are not gone.
            let torn = torn || entries.is_empty();
            if !torn || Instant::now() >= deadline {
                return entries;
            }
            thread::sleep(TORN_PAUSE);
        }
    }
}

/// The unit of a file whose content alone moved. What is gone, new or a link may have changed the tree itself.
fn known_unit(tree: &Tree, path: &Path) -> Option<PathBuf> {
    let unit = tree.unit_of(path)?;
    std::fs::symlink_metadata(path)
        .is_ok_and(|metadata| metadata.is_file())
        .then(|| unit.to_owned())
}

struct State {
    tree: Tree,
    units: Objects,
}

impl State {
    /// Reads everything, as it lies.
    fn fill(&mut self, namespaces: &Namespaces) {
        for path in self.tree.units.keys() {
            let entries = self.tree.read(path, namespaces);
            self.units
                .insert(path.clone(), entries.into_iter().map(Arc::new).collect());
        }
    }

    /// A file that cannot be read as a whole keeps the objects that it had.
    fn keep(&mut self, path: PathBuf, entries: Vec<Entry>) {
        let mut entries: Vec<_> = entries.into_iter().map(Arc::new).collect();
        let broken = entries
            .iter()
            .any(|entry| entry.object_ref.kind == Kind::File && entry.is_error());
        if broken {
            let named: BTreeSet<_> = entries.iter().map(|entry| entry.object_ref.clone()).collect();
            let former = self.units.get(&path).into_iter().flatten();
            entries.extend(
                former
                    .filter(|old| old.object.is_some() && !named.contains(&old.object_ref))
                    .cloned(),
            );
        }
        self.units.insert(path, entries);
    }

    /// Every object once: the first in path order stands, another of the same name is an error of its file.
    fn current(&self) -> BTreeMap<ObjectRef, Arc<Entry>> {
        let mut owners: BTreeMap<ObjectRef, &Path> = BTreeMap::new();
        let mut all: BTreeMap<ObjectRef, Arc<Entry>> = BTreeMap::new();
        let mut add = |entry: Arc<Entry>| match all.get_mut(&entry.object_ref) {
            Some(known) => Arc::make_mut(known)
                .findings
                .extend(entry.findings.iter().cloned()),
            None => drop(all.insert(entry.object_ref.clone(), entry)),
        };
        for finding in &self.tree.findings {
            add(Arc::new(finding.clone()));
        }
        for (path, entries) in &self.units {
            for entry in entries {
                match owners.get(&entry.object_ref) {
                    Some(owner) if entry.object_ref.kind != Kind::File => {
                        let message = format!("the same object is in {}, which stands", owner.display());
                        let file = ObjectRef::file(path.display().to_string());
                        let mut duplicate = refused(
                            file,
                            "duplicate-object",
                            None,
                            format!("{}: {message}", entry.object_ref),
                        );
                        duplicate
                            .findings
                            .iter_mut()
                            .for_each(|finding| finding.object = entry.object_ref.clone());
                        add(Arc::new(duplicate));
                    }
                    _ => {
                        owners.insert(entry.object_ref.clone(), path);
                        add(Arc::clone(entry));
                    }
                }
            }
        }
        all
    }
}

impl Entry {
    fn is_error(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == crate::object::Severity::Error)
    }
}

fn difference(
    old: &BTreeMap<ObjectRef, Arc<Entry>>,
    new: &BTreeMap<ObjectRef, Arc<Entry>>,
) -> Vec<SourceEvent> {
    let gone = old
        .keys()
        .filter(|name| !new.contains_key(*name))
        .cloned()
        .map(SourceEvent::Delete);
    let same = |a: &Arc<Entry>, b: &Arc<Entry>| Arc::ptr_eq(a, b) || a == b;
    let moved = new
        .iter()
        .filter(|(name, entry)| !old.get(*name).is_some_and(|old| same(old, entry)));
    gone.chain(moved.map(|(_, entry)| SourceEvent::Apply(Entry::clone(entry))))
        .collect()
}

#[derive(Default)]
struct Touched {
    paths: BTreeSet<PathBuf>,
    rescan: bool,
}

/// Waits for a burst and its end, or for the poll. None if the watcher is gone.
fn gather(receiver: &mpsc::Receiver<notify::Result<notify::Event>>, poll: Instant) -> Option<Touched> {
    let mut touched = Touched::default();
    let mut wait = poll.saturating_duration_since(Instant::now());
    let mut burst = None;
    let mut open = false;
    loop {
        match receiver.recv_timeout(wait) {
            Ok(Ok(event)) if is_noise(event.kind) => {}
            Ok(Ok(event)) => {
                open = matches!(
                    event.kind,
                    EventKind::Modify(notify::event::ModifyKind::Data(_)) | EventKind::Create(_)
                );
                touched.rescan |= event.need_rescan();
                touched.paths.extend(event.paths);
            }
            Ok(Err(_)) => touched.rescan = true,
            Err(RecvTimeoutError::Timeout) => {
                touched.rescan |= touched.paths.is_empty();
                return Some(touched);
            }
            Err(RecvTimeoutError::Disconnected) => return None,
        }
        if touched.paths.is_empty() && !touched.rescan {
            wait = poll.saturating_duration_since(Instant::now());
            continue;
        }
        let end = *burst.get_or_insert_with(|| Instant::now() + LONGEST_BURST);
        wait = if open { OPEN_FILE } else { QUIET }.min(end.saturating_duration_since(Instant::now()));
    }
}

/// Reading a file must not wake us: opening and closing for reading are events too.
fn is_noise(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    }
}

fn watch(watcher: &mut impl Watcher, tree: &Tree, watched: &mut BTreeSet<PathBuf>) {
    for path in tree.folders.difference(&watched.clone()) {
        match watcher.watch(path, RecursiveMode::NonRecursive) {
            Ok(()) => drop(watched.insert(path.clone())),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot be watched; changes are seen by polling");
            }
        }
    }
    // A folder that is gone took its watch with it.
    watched.retain(|path| tree.folders.contains(path));
}
