//! A reproducible layer of an image: byte for byte the same, whoever packs it and when.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// A user and a group, by number: an image that has no `/etc/passwd` knows no names.
pub(crate) type Owner = (u64, u64);

const ROOT: Owner = (0, 0);

#[derive(Clone)]
struct Entry {
    mode: u32,
    owner: Owner,
    /// None for a folder.
    content: Option<Vec<u8>>,
}

/// Files and folders by path. A map, so that the order in which they are added does not matter.
#[derive(Clone, Default)]
pub(crate) struct Tree(BTreeMap<String, Entry>);

impl Tree {
    /// Adds a folder, by its path from the root.
    pub(crate) fn folder(&mut self, path: &str, mode: u32, owner: Owner) {
        self.parents(path);
        let content = None;
        self.0.insert(path.to_owned(), Entry { mode, owner, content });
    }

    /// Adds a file that belongs to root.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.parents(path);
        let (owner, content) = (ROOT, Some(content));
        self.0.insert(path.to_owned(), Entry { mode, owner, content });
    }

    fn parents(&mut self, path: &str) {
        for (end, _) in path.match_indices('/') {
            self.0.entry(path[..end].to_owned()).or_insert(Entry {
                mode: 0o755,
                owner: ROOT,
                content: None,
            });
        }
    }

    /// The same tree in a folder.
    pub(crate) fn below(&self, folder: &str) -> Self {
        let entries = self
            .0
            .iter()
            .map(|(path, entry)| (format!("{folder}/{path}"), entry.clone()));
        let mut tree = Self(entries.collect());
        tree.folder(folder, 0o755, ROOT);
        tree
    }

    /// Writes the tree to a folder, with its modes. Owners are left to whoever copies it from there.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        for (path, entry) in &self.0 {
            let path = folder.join(path);
            match &entry.content {
                Some(content) => fs::write(&path, content),
                None => fs::create_dir_all(&path),
            }
            .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(entry.mode)))
            .with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// The tree as a tar archive.
    pub(crate) fn tar(&self) -> Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        for (path, entry) in &self.0 {
            let content = entry.content.as_deref();
            let mut header = Header::new_gnu();
            header.set_entry_type(if content.is_some() {
                EntryType::Regular
            } else {
                EntryType::Directory
            });
            header.set_mode(entry.mode);
            header.set_uid(entry.owner.0);
            header.set_gid(entry.owner.1);
            header.set_mtime(0);
            header.set_size(content.map_or(0, <[u8]>::len) as u64);
            let end = if content.is_some() { "" } else { "/" };
            archive
                .append_data(&mut header, format!("{path}{end}"), content.unwrap_or_default())
                .with_context(|| path.clone())?;
        }
        Ok(archive.into_inner()?)
    }
}

/// A layer in the form that registries store.
pub(crate) struct Layer {
    /// The compressed archive.
    pub(crate) gzip: Vec<u8>,
    /// The digest of the archive before it was compressed.
    pub(crate) diff_id: String,
}

impl Layer {
    pub(crate) fn of(tree: &Tree) -> Result<Self> {
        let archive = tree.tar()?;
        let diff_id = digest(&archive);
        Ok(Self {
            gzip: gzip(&archive)?,
            diff_id,
        })
    }
}

/// `sha256:` and the sum of these bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sum(bytes))
}

/// The SHA-256 of these bytes, in hexadecimal.
pub(crate) fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Compresses without a time and a name: gzip's header could hold both.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    let packed = encoder.finish()?;
    ensure!(packed.len() > 2, "an empty stream");
    Ok(packed)
}
