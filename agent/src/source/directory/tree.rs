//! The files in the tree: which are manifests, which folders have PEM files, where links lead.
//!
//! Only what changed is visited again: a new file costs one file, whatever is in its folder. Names below the root, as a
//! person would write them, are kept apart from real paths, which the watcher reports.

mod content;
mod links;
mod ties;

use std::cmp;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::hash::{Hash, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealgate_model::few::Few;
use sealgate_model::manifest::{Namespaces, refused};
use sealgate_model::{Code, ObjectRef, SourceObject};

use self::links::Way;
use self::ties::Ties;
use super::below::keys_below;

/// Deeper than any real tree; ends loops of links.
const DEEPEST: usize = 32;
/// The maximum number of ways to follow to one folder or file: parallel links multiply with every level.
const MOST_WAYS: usize = 16;
/// The maximum number of names that are checked in folders that only links lead to: a link may lead to the whole
/// machine.
const MOST_BEHIND_LINKS: usize = 20_000;
const PEM_FILES: [&str; 9] = [
    "tls.crt",
    "tls.key",
    "ca.crt",
    "ca.crl",
    "tls.ocsp-staple",
    "cert",
    "key",
    "cacert",
    "crl",
];

/// Names of PEM files that may also be a Secret's name: a folder of such a name is like any other.
const NAMES_TOO: [&str; 4] = ["cert", "key", "cacert", "crl"];

/// Names that certbot and others give to a key pair.
const UNREAD_KEY: &str = "privkey.pem";
const UNREAD_CERTIFICATES: [&str; 2] = ["fullchain.pem", "cert.pem"];

/// Whether this is the key of a pair whose folder is no Secret.
fn is_unread_pair(path: &Path) -> bool {
    let is_there = |name: &&str| path.with_file_name(name).symlink_metadata().is_ok();
    path.file_name().is_some_and(|name| name == UNREAD_KEY)
        && UNREAD_CERTIFICATES.iter().any(is_there)
        && !PEM_FILES.iter().any(is_there)
}

/// What is read as a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
enum UnitKind {
    /// A file of manifests.
    Manifest,
    /// A folder that is a Secret.
    Pem,
    /// A key pair whose file names do not make its folder a Secret.
    Unread,
    /// Something that cannot be read at all: the code and the reason.
    Broken(Code, String),
}

impl UnitKind {
    /// What is visited when a file of such a unit changes.
    fn visit(&self, path: &Arc<Path>) -> Visit {
        match self {
            Self::Pem => Visit::Pem(Arc::clone(path)),
            Self::Manifest | Self::Unread | Self::Broken(..) => Visit::Entry(Arc::clone(path)),
        }
    }
}

#[derive(Clone, Debug)]
struct Unit {
    kind: UnitKind,
    /// A hash of the identity and state of all its files; it changes when any of them does.
    stamp: u64,
    ties: Vec<Arc<Path>>,
}

impl Unit {
    fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && self.stamp == other.stamp
    }
}

#[derive(Clone, Debug)]
struct Folder {
    real: Arc<Path>,
    ties: Vec<Arc<Path>>,
    /// The number of names in it, if only links lead there.
    behind_links: usize,
}

/// What is visited again when something changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Visit {
    /// Whatever is at and below this path.
    Entry(Arc<Path>),
    /// The PEM files of this folder.
    Pem(Arc<Path>),
}

impl Visit {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Entry(path) | Self::Pem(path) => path,
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: PathBuf,
    /// Where the root leads.
    real_root: PathBuf,
    /// Names in folders that only links lead to.
    behind_links: usize,
    units: BTreeMap<Arc<Path>, Unit>,
    folders: BTreeMap<Arc<Path>, Folder>,
    /// Links that lead nowhere: they may lead to a folder later.
    dangling: BTreeMap<Arc<Path>, Vec<Arc<Path>>>,
    /// Real folders to the names that lead there.
    names: HashMap<Arc<Path>, Few<Arc<Path>>>,
    ties: Ties,
}

impl Tree {
    pub(super) fn scan(root: &Path) -> io::Result<Self> {
        let root: Arc<Path> = std::path::absolute(root)?.into();
        let mut tree = Self {
            root: root.to_path_buf(),
            ..Self::default()
        };
        if fs::metadata(&root)?.is_dir() {
            // If the root is unreadable, that is an error; an unreadable folder in it is a finding.
            fs::read_dir(&root)?;
        } else {
            File::open(&root)?;
        }
        let way = root_way(&root);
        if let Ok(real) = &way.end {
            tree.real_root.clone_from(real);
        }
        tree.visit(root, way);
        Ok(tree)
    }

    /// The paths of all units.
    pub(super) fn units(&self) -> impl Iterator<Item = &Arc<Path>> {
        self.units.keys()
    }

    /// The units that a visit leads to.
    pub(super) fn units_of(&self, visit: &Visit) -> Vec<Arc<Path>> {
        match visit {
            Visit::Entry(path) => keys_below(&self.units, path),
            Visit::Pem(path) => self
                .units
                .get_key_value(path)
                .map(|(unit, _)| Arc::clone(unit))
                .into_iter()
                .collect(),
        }
    }

    /// Whether there is a unit.
    pub(super) fn holds(&self, path: &Path) -> bool {
        self.units.contains_key(path)
    }

    /// Whether there is a unit, or may be, behind a folder that cannot be read.
    pub(super) fn may_hold(&self, path: &Path) -> bool {
        self.holds(path) || path.ancestors().any(|above| self.is_broken(above))
    }

    fn is_broken(&self, path: &Path) -> bool {
        let unit = self.units.get(path);
        unit.is_some_and(|unit| matches!(unit.kind, UnitKind::Broken(..)))
    }

    /// What must be visited after a change at real paths; none for everything.
    pub(super) fn visits<'p>(&self, moved: impl Iterator<Item = &'p PathBuf>) -> Option<BTreeSet<Visit>> {
        let mut visits = BTreeSet::new();
        for path in moved {
            visits.extend(self.ties.below(path).cloned());
            // The watcher also reports a folder itself.
            visits.extend(self.names_of(path).cloned().map(Visit::Entry));
            let folders = path.parent().map(|folder| self.names_of(folder));
            let folders = folders.into_iter().flatten();
            visits.extend(folders.flat_map(|folder| self.visits_of(folder, path)));
        }
        let twins: Vec<_> = visits.iter().flat_map(|visit| self.twins(visit)).collect();
        visits.extend(twins);
        let is_whole = |path: &Path| visits.contains(&Visit::Entry(path.into()));
        if is_whole(&self.root) {
            return None;
        }
        let is_covered = |visit: &Visit| match visit {
            Visit::Entry(path) => path.ancestors().skip(1).any(is_whole),
            Visit::Pem(path) => path.ancestors().any(is_whole),
        };
        Some(
            visits
                .iter()
                .filter(|visit| !is_covered(visit))
                .cloned()
                .collect(),
        )
    }

    /// What a change of a name in a folder affects.
    fn visits_of(&self, folder: &Arc<Path>, path: &Path) -> impl Iterator<Item = Visit> {
        let is_ambiguous = may_be_folder(path);
        // A removed entry may have been either.
        let is_pem = is_ambiguous || is_pem(path);
        let entry = path.file_name().filter(|_| is_ambiguous || !is_pem);
        let entry = entry.map(|name| Visit::Entry(folder.join(name).into()));
        let pem = (is_pem && **folder != self.root).then(|| Visit::Pem(Arc::clone(folder)));
        entry.into_iter().chain(pem)
    }

    /// More visits for a name that may be both a PEM file and a folder: it may be the other one now.
    fn twins(&self, visit: &Visit) -> Vec<Visit> {
        match visit {
            Visit::Entry(path) if may_be_folder(path) => {
                let folder = path.parent().filter(|folder| **folder != *self.root);
                folder
                    .map(|folder| Visit::Pem(folder.into()))
                    .into_iter()
                    .collect()
            }
            Visit::Pem(folder) => {
                let names = NAMES_TOO.iter().map(|name| Arc::from(folder.join(name)));
                let folders = names.filter(|path| self.folders.contains_key(path) || path.is_dir());
                folders.map(Visit::Entry).collect()
            }
            Visit::Entry(_) => Vec::new(),
        }
    }

    /// Visits again, and forgets what no longer exists.
    pub(super) fn again(&mut self, visit: &Visit) {
        match visit {
            Visit::Pem(folder) if !self.is_broken(folder) => self.pem_again(folder),
            Visit::Entry(path) | Visit::Pem(path) => {
                self.forget(path);
                // A folder above may have been removed meanwhile, and this one with it.
                if path
                    .parent()
                    .is_some_and(|folder| self.folders.contains_key(folder))
                {
                    let way = self.way(path);
                    self.visit(Arc::clone(path), way);
                }
            }
        }
    }

    fn pem_again(&mut self, folder: &Arc<Path>) {
        self.remove_unit(folder);
        if self.folders.contains_key(folder) {
            let files = PEM_FILES.iter().map(|name| folder.join(name));
            let is_there = |file: &PathBuf| file.symlink_metadata().is_ok() && is_pem(file);
            let files: Vec<PathBuf> = files.filter(is_there).collect();
            self.pem(folder, &files);
            self.again(&Visit::Entry(folder.join(UNREAD_KEY).into()));
        }
    }

    /// Whether this real path is part of the unit's content.
    pub(super) fn is_read_by(&self, path: &Path, unit: &Path) -> bool {
        self.ties.at(path).any(|visit| visit.path() == unit)
    }

    /// Whether anything depends on this real path.
    pub(super) fn is_tied(&self, path: &Path) -> bool {
        self.ties.at(path).next().is_some()
    }

    /// Units that are new or whose files differ from `before`.
    pub(super) fn changed_since(&self, before: &Self) -> BTreeSet<Arc<Path>> {
        let same =
            |path: &Arc<Path>, unit: &Unit| before.units.get(path).is_some_and(|former| former.is(unit));
        let moved = self.units.iter().filter(|(path, unit)| !same(path, unit));
        moved.map(|(path, _)| Arc::clone(path)).collect()
    }

    /// What must be visited because another look at the tree differs; none for everything.
    pub(super) fn suspects(&self, other: &Self) -> Option<BTreeSet<Visit>> {
        let units = differing(&self.units, &other.units, Unit::is);
        let folders = differing(&self.folders, &other.folders, |one, other| one.real == other.real);
        let paths: BTreeSet<&Arc<Path>> = units.into_iter().chain(folders).collect();
        let is_root = |path: &&Arc<Path>| ***path == *self.root;
        let visits = paths.iter().map(|path| Visit::Entry(Arc::clone(path)));
        (!paths.iter().any(is_root)).then(|| visits.collect())
    }

    /// Real folders whose need for a watch may have changed since the last call.
    pub(super) fn take_touched(&mut self) -> BTreeSet<Arc<Path>> {
        self.ties.take_touched()
    }

    /// Marks folders whose need for a watch may have changed.
    pub(super) fn touch<'f>(&mut self, folders: impl Iterator<Item = &'f Arc<Path>>) {
        folders.for_each(|folder| self.ties.touch(Arc::clone(folder)));
    }

    /// Whether a change in this real folder matters.
    pub(super) fn needs(&self, folder: &Path) -> bool {
        self.names.contains_key(folder) || self.ties.has_folder(folder)
    }

    fn names_of(&self, real: &Path) -> impl Iterator<Item = &Arc<Path>> {
        self.names.get(real).into_iter().flatten()
    }

    /// Names a unit in findings.
    pub(super) fn file_ref(&self, path: &Path) -> ObjectRef {
        let below = path
            .strip_prefix(&self.root)
            .ok()
            .filter(|below| !below.as_os_str().is_empty());
        ObjectRef::file(below.unwrap_or(path).display().to_string())
    }

    /// What a unit holds now.
    pub(super) fn read(&self, path: &Path, namespaces: &Namespaces) -> Vec<SourceObject> {
        let Some(unit) = self.units.get(path) else {
            return Vec::new();
        };
        let file = self.file_ref(path);
        match &unit.kind {
            UnitKind::Manifest => content::manifests(path, file, namespaces),
            UnitKind::Pem => vec![content::secret(path, file, &namespaces.gateway)],
            UnitKind::Unread => vec![content::unread(file)],
            UnitKind::Broken(code, message) => vec![refused(file, *code, None, message.clone())],
        }
    }

    fn visit(&mut self, path: Arc<Path>, way: Way) {
        let is_root = *path == *self.root;
        // Hidden files belong to other tools (Kubernetes' `..data`): they are reached through links.
        if !is_root && file_name(&path).is_none_or(|name| name.starts_with('.')) {
            return;
        }
        // A value of its folder's Secret, wherever it leads.
        if !is_root && is_pem(&path) {
            return;
        }
        let is_wanted = is_root || is_manifest(&path);
        match way.end {
            Ok(real) if real.is_dir() => self.folder(path, &real, way.ties),
            Ok(real) if is_wanted && *path != *real && self.ties.at(&real).count() >= MOST_WAYS => {
                self.broken(path, Code::TooManyLinks, WAYS, way.ties);
            }
            Ok(_) if is_wanted => self.add_unit(path, UnitKind::Manifest, way.ties),
            Ok(_) if is_unread_pair(&path) => self.add_unit(path, UnitKind::Unread, way.ties),
            Ok(_) => {}
            Err(error) if is_loop(&error) => self.broken(path, Code::LinkLoop, LOOP, way.ties),
            // It appeared and disappeared.
            Err(_) if path.symlink_metadata().is_err() => {}
            Err(error) if is_wanted => self.broken(path, Code::Unreadable, &error.to_string(), way.ties),
            Err(_) => {
                self.ties.tie(&Visit::Entry(Arc::clone(&path)), &way.ties);
                self.dangling.insert(path, way.ties);
            }
        }
    }

    fn folder(&mut self, path: Arc<Path>, real: &Path, ties: Vec<Arc<Path>>) {
        let above = || path.ancestors().skip(1).map_while(|path| self.folders.get(path));
        if above().count() > DEEPEST || above().any(|folder| *folder.real == *real) {
            return self.broken(path, Code::LinkLoop, LOOP, ties);
        }
        let ways = self.names.get(real).map_or(0, |names| names.into_iter().count());
        if ways >= MOST_WAYS && *path != *real {
            return self.broken(path, Code::TooManyLinks, WAYS, ties);
        }
        let real: Arc<Path> = if *path == *real {
            Arc::clone(&path)
        } else {
            real.into()
        };
        let is_behind_links = !real.starts_with(&self.real_root);
        let listed = self.list(&path, is_behind_links);
        self.ties.tie(&Visit::Entry(Arc::clone(&path)), &ties);
        self.ties.touch(Arc::clone(&real));
        let names = self.names.entry(Arc::clone(&real)).or_default();
        names.insert(Arc::clone(&path));
        let behind_links = match &listed {
            Ok(paths) if is_behind_links => paths.len(),
            _ => 0,
        };
        self.behind_links += behind_links;
        let folder = Folder {
            real,
            ties,
            behind_links,
        };
        self.folders.insert(Arc::clone(&path), folder);
        let mut paths = match listed {
            Ok(paths) => paths,
            Err((code, message)) => return self.broken(path, code, &message, Vec::new()),
        };
        paths.sort();
        let (pem, others): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| is_pem(path));
        self.pem(&path, &pem);
        for other in others {
            let way = self.way(&other);
            self.visit(other.into(), way);
        }
    }

    /// The names in a folder, or why they are not checked.
    fn list(&self, folder: &Path, is_behind_links: bool) -> Result<Vec<PathBuf>, (Code, String)> {
        let entries = fs::read_dir(folder).map_err(|error| (Code::Unreadable, error.to_string()))?;
        let paths = entries.flatten().map(|entry| entry.path());
        if !is_behind_links {
            return Ok(paths.collect());
        }
        let left = MOST_BEHIND_LINKS.saturating_sub(self.behind_links);
        let paths: Vec<PathBuf> = paths.take(left + 1).collect();
        if paths.len() > left {
            let message = format!("links lead to more than {MOST_BEHIND_LINKS} files and folders outside");
            return Err((Code::TooManyLinks, message));
        }
        Ok(paths)
    }

    fn pem(&mut self, folder: &Arc<Path>, files: &[PathBuf]) {
        if **folder != self.root && !files.is_empty() {
            let ties = files.iter().flat_map(|file| self.way(file).ties).collect();
            self.add_unit(Arc::clone(folder), UnitKind::Pem, ties);
        }
    }

    fn broken(&mut self, path: Arc<Path>, code: Code, message: &str, ties: Vec<Arc<Path>>) {
        self.add_unit(path, UnitKind::Broken(code, message.to_owned()), ties);
    }

    fn add_unit(&mut self, path: Arc<Path>, kind: UnitKind, mut ties: Vec<Arc<Path>>) {
        let mut hasher = DefaultHasher::new();
        for tie in &mut ties {
            stamp(tie).hash(&mut hasher);
            if **tie == *path {
                *tie = Arc::clone(&path);
            }
        }
        let stamp = hasher.finish();
        self.ties.tie(&kind.visit(&path), &ties);
        self.units.insert(path, Unit { kind, stamp, ties });
    }

    /// Where a path leads.
    fn way(&self, path: &Path) -> Way {
        let folder = path.parent().and_then(|folder| self.folders.get(folder));
        match (folder, path.file_name()) {
            (Some(folder), Some(name)) => links::follow(&folder.real, name),
            _ => root_way(path),
        }
    }

    /// Forgets everything at and below a path.
    fn forget(&mut self, path: &Path) {
        for unit in keys_below(&self.units, path) {
            self.remove_unit(&unit);
        }
        for folder in keys_below(&self.folders, path) {
            self.remove_folder(&folder);
        }
        for link in keys_below(&self.dangling, path) {
            let ties = self.dangling.remove(&link).unwrap_or_default();
            self.ties.untie(&Visit::Entry(link), &ties);
        }
    }

    fn remove_unit(&mut self, path: &Arc<Path>) {
        if let Some(unit) = self.units.remove(path) {
            self.ties.untie(&unit.kind.visit(path), &unit.ties);
        }
    }

    fn remove_folder(&mut self, path: &Arc<Path>) {
        let Some(folder) = self.folders.remove(path) else {
            return;
        };
        self.behind_links = self.behind_links.saturating_sub(folder.behind_links);
        self.ties.untie(&Visit::Entry(Arc::clone(path)), &folder.ties);
        if let Some(names) = self.names.get_mut(&folder.real) {
            names.remove(path);
            if names.is_empty() {
                self.names.remove(&folder.real);
            }
        }
        self.ties.touch(folder.real);
    }
}

const LOOP: &str = "symbolic links form a loop";
const WAYS: &str = "16 other links already lead to the same place";

/// Where the root leads, including links in its path.
fn root_way(root: &Path) -> Way {
    let below = root.strip_prefix("/").unwrap_or(root);
    links::follow(Path::new("/"), below.as_os_str())
}

/// The keys under which two maps differ.
fn differing<'m, V>(
    one: &'m BTreeMap<Arc<Path>, V>,
    other: &'m BTreeMap<Arc<Path>, V>,
    same: impl Fn(&V, &V) -> bool,
) -> Vec<&'m Arc<Path>> {
    let (mut ones, mut others) = (one.iter().peekable(), other.iter().peekable());
    let mut paths = Vec::new();
    loop {
        let order = match (ones.peek(), others.peek()) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => cmp::Ordering::Less,
            (None, Some(_)) => cmp::Ordering::Greater,
            (None, None) => return paths,
        };
        let one = ones.next_if(|_| order.is_le());
        let other = others.next_if(|_| order.is_ge());
        let is_same = matches!((one, other), (Some((_, one)), Some((_, other))) if same(one, other));
        if !is_same {
            paths.extend(one.or(other).map(|(path, _)| path));
        }
    }
}

/// A file's identity and state; it changes when the file does.
fn stamp(path: &Path) -> impl Hash {
    let state = fs::metadata(path).ok().map(|file| {
        (
            file.dev(),
            file.ino(),
            file.mtime(),
            file.mtime_nsec(),
            // Permissions that were restored do not change the content.
            file.ctime(),
            file.ctime_nsec(),
            file.size(),
        )
    });
    (path.file_name().unwrap_or_default(), state)
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn is_pem(path: &Path) -> bool {
    file_name(path).is_some_and(|name| PEM_FILES.contains(&name)) && !(may_be_folder(path) && path.is_dir())
}

fn may_be_folder(path: &Path) -> bool {
    file_name(path).is_some_and(|name| NAMES_TOO.contains(&name))
}

fn is_manifest(path: &Path) -> bool {
    matches!(
        path.extension().and_then(|extension| extension.to_str()),
        Some("yaml" | "yml" | "json")
    )
}

#[cfg(test)]
#[path = "tree/tests.rs"]
mod tests;
