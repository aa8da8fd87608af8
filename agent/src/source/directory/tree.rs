//! The files as they lie: which are manifests, which folders hold PEM files, where links lead.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sealgate_model::manifest::{self, Namespaces, is_name, refused};
use sealgate_model::{Code, Entry, Kind, Meta, Object, ObjectRef, SecretObject};
use zeroize::Zeroizing;

const LARGEST_MANIFEST: u64 = 8 * 1024 * 1024;
const LARGEST_PEM: u64 = 1024 * 1024;
/// Deeper than any real tree, and what ends a loop of links that the visited list did not.
const DEEPEST: usize = 32;
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

/// What is read as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A file of manifests.
    Manifest,
    /// A folder that is a Secret.
    Pem,
    /// Something that cannot even be looked into: the code and the reason.
    Broken(Code, String),
}

/// A file's identity and state; a change of it is a change of the file.
type Stamp = (u64, u64, i64, i64, u64);

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    root: PathBuf,
    pub(super) units: BTreeMap<PathBuf, Unit>,
    /// Every real folder in which a change matters, those of link targets too.
    pub(super) folders: BTreeSet<PathBuf>,
    stamps: BTreeMap<PathBuf, BTreeMap<PathBuf, Stamp>>,
    /// Real files to the unit that reads them.
    files: BTreeMap<PathBuf, PathBuf>,
}

impl Tree {
    pub(super) fn scan(root: &Path) -> io::Result<Self> {
        let root = std::path::absolute(root)?;
        let metadata = fs::metadata(&root)?;
        let mut tree = Self {
            root: root.clone(),
            ..Self::default()
        };
        if metadata.is_dir() {
            // An unreadable root is an error; an unreadable folder in it is a finding.
            fs::read_dir(&root)?;
            tree.folder(&root, &mut Vec::new());
        } else {
            File::open(&root)?;
            tree.manifest(&root);
        }
        Ok(tree)
    }

    /// The unit that reads this file.
    pub(super) fn unit_of(&self, path: &Path) -> Option<&Path> {
        self.files.get(path).map(PathBuf::as_path)
    }

    /// Whether a change here moves nothing but the content of known files, or nothing at all.
    pub(super) fn stands(&self, path: &Path) -> bool {
        let known = self.files.contains_key(path);
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => known || !(is_pem(path) || is_manifest(path)),
            Ok(_) => false,
            // Came and went: the new version of a file, under its temporary name.
            Err(error) if error.kind() == io::ErrorKind::NotFound => !known && !self.folders.contains(path),
            Err(_) => false,
        }
    }

    /// Units that are new or whose files differ from `before`.
    pub(super) fn changed_since(&self, before: &Self) -> BTreeSet<PathBuf> {
        let same = |path: &PathBuf, unit: &Unit| {
            before.units.get(path) == Some(unit) && before.stamps.get(path) == self.stamps.get(path)
        };
        let moved = self.units.iter().filter(|(path, unit)| !same(path, unit));
        moved.map(|(path, _)| path.clone()).collect()
    }

    /// Whether a unit that is not seen any more may still be there, behind a folder that cannot be read.
    pub(super) fn hides(&self, path: &Path) -> bool {
        path.ancestors()
            .any(|above| matches!(self.units.get(above), Some(Unit::Broken(..))))
    }

    fn folder(&mut self, path: &Path, above: &mut Vec<PathBuf>) {
        let Ok(real) = fs::canonicalize(path) else { return };
        if above.contains(&real) || above.len() > DEEPEST {
            return self.broken(path, Code::LinkLoop, "the links lead in a circle");
        }
        self.folders.insert(real.clone());
        self.folders.insert(path.to_owned());
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.broken(path, Code::Unreadable, &error.to_string()),
        };
        let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        names.sort();
        let (pem, others): (Vec<PathBuf>, Vec<PathBuf>) = names.into_iter().partition(|name| is_pem(name));
        if path != self.root && !pem.is_empty() {
            self.units.insert(path.to_owned(), Unit::Pem);
            pem.iter().for_each(|file| self.follow(file, path));
        }
        above.push(real);
        for name in &others {
            self.visit(name, above);
        }
        above.pop();
    }

    fn visit(&mut self, path: &Path, above: &mut Vec<PathBuf>) {
        // Hidden ones are other tools' (Kubernetes' `..data`): they are reached through the links that lead there.
        if file_name(path).is_none_or(|name| name.starts_with('.')) {
            return;
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path, above),
            Ok(_) if !is_manifest(path) => {}
            Ok(_) => self.manifest(path),
            Err(error) if is_loop(&error) => {
                self.broken(path, Code::LinkLoop, "the links lead in a circle");
            }
            Err(error) if is_manifest(path) => self.broken(path, Code::Unreadable, &error.to_string()),
            Err(_) => {}
        }
    }

    fn manifest(&mut self, path: &Path) {
        self.units.insert(path.to_owned(), Unit::Manifest);
        self.follow(path, path);
    }

    /// Notes a file of a unit and every link on the way to it: a change of any of them is a change of the file.
    fn follow(&mut self, path: &Path, unit: &Path) {
        self.files.insert(path.to_owned(), unit.to_owned());
        let stamp = fs::metadata(path).map(|metadata| {
            (
                metadata.dev(),
                metadata.ino(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.size(),
            )
        });
        let stamps = self.stamps.entry(unit.to_owned()).or_default();
        stamps.insert(path.to_owned(), stamp.unwrap_or_default());
        let mut at = path.to_owned();
        for _ in 0..DEEPEST {
            let Ok(target) = fs::read_link(&at) else { break };
            at = at.parent().map(|folder| folder.join(&target)).unwrap_or(target);
            if let (Some(Ok(folder)), Some(name)) = (at.parent().map(fs::canonicalize), at.file_name()) {
                self.files.insert(folder.join(name), unit.to_owned());
                self.folders.insert(folder);
            }
        }
        if let Ok(real) = fs::canonicalize(path) {
            self.folders.extend(real.parent().map(Path::to_owned));
            self.files.insert(real, unit.to_owned());
        }
        self.folders.extend(path.parent().map(Path::to_owned));
    }

    fn broken(&mut self, path: &Path, code: Code, message: &str) {
        self.units
            .insert(path.to_owned(), Unit::Broken(code, message.to_owned()));
        // A link that leads nowhere may lead somewhere once its target comes.
        self.follow(path, path);
    }

    /// Names a unit in findings.
    pub(super) fn file_ref(&self, path: &Path) -> ObjectRef {
        let below = path
            .strip_prefix(&self.root)
            .ok()
            .filter(|below| !below.as_os_str().is_empty());
        ObjectRef::file(below.unwrap_or(path).display().to_string())
    }

    pub(super) fn read(&self, path: &Path, namespaces: &Namespaces) -> Vec<Entry> {
        match self.units.get(path) {
            Some(Unit::Manifest) => match read_file(path, LARGEST_MANIFEST) {
                Ok(bytes) => manifest::read(&self.file_ref(path).name, &bytes, namespaces),
                Err(error) => {
                    let (code, message) = error.said();
                    vec![refused(self.file_ref(path), code, None, message)]
                }
            },
            Some(Unit::Pem) => vec![self.read_pem(path, &namespaces.gateway)],
            Some(Unit::Broken(code, message)) => {
                vec![refused(self.file_ref(path), *code, None, message.clone())]
            }
            None => Vec::new(),
        }
    }

    fn read_pem(&self, folder: &Path, namespace: &str) -> Entry {
        let name = file_name(folder).unwrap_or_default().to_owned();
        if !is_name(&name) {
            let message =
                format!("{name:?} cannot be a Secret's name: lower-case letters, digits, `-` and `.`");
            return refused(self.file_ref(folder), Code::InvalidObject, None, message);
        }
        let object_ref = ObjectRef::new(Kind::Secret, namespace, &name);
        let meta = Meta {
            namespace: namespace.to_owned(),
            name,
            ..Meta::default()
        };
        let mut secret = SecretObject {
            meta,
            type_: "Opaque".to_owned(),
            data: BTreeMap::new(),
        };
        for key in PEM_FILES {
            match read_file(&folder.join(key), LARGEST_PEM) {
                Ok(bytes) => drop(secret.data.insert(key.to_owned(), bytes)),
                Err(Unread::Missing) => {}
                Err(error) => {
                    let (code, message) = error.said();
                    return refused(object_ref, code, Some(&format!("data[{key}]")), message);
                }
            }
        }
        Entry {
            object_ref,
            object: Some(Object::Secret(secret)),
            findings: Vec::new(),
        }
    }
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn is_pem(path: &Path) -> bool {
    file_name(path).is_some_and(|name| PEM_FILES.contains(&name))
}

fn is_manifest(path: &Path) -> bool {
    matches!(
        path.extension().and_then(|extension| extension.to_str()),
        Some("yaml" | "yml" | "json")
    )
}

/// Why a file was not read.
enum Unread {
    Missing,
    Refused(Code, String),
}

impl Unread {
    fn said(self) -> (Code, String) {
        match self {
            Self::Missing => (Code::Unreadable, "it is not there".to_owned()),
            Self::Refused(code, message) => (code, message),
        }
    }
}

/// Never waits (a FIFO without a writer), never reads more than it may.
fn read_file(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unread::Missing,
        _ if is_loop(&error) => Unread::Refused(Code::LinkLoop, "the links lead in a circle".to_owned()),
        _ => Unread::Refused(Code::Unreadable, error.to_string()),
    };
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Unread::Refused(
            Code::NotAFile,
            "neither a file nor a folder".to_owned(),
        ));
    }
    if metadata.len() > limit {
        return Err(Unread::Refused(
            Code::FileTooLarge,
            format!("{} bytes: at most {limit}", metadata.len()),
        ));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(metadata.len()).unwrap_or(0) + 1,
    ));
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
