//! A folder of things that are kept, a file each. What cannot be written is logged, and nothing waits for it.

use std::fmt::Display;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::claim_log::StateError;

/// Who may read the files of a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modes {
    pub(super) folder: u32,
    pub(super) file: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct KeptFolder {
    path: PathBuf,
    modes: Modes,
    /// Whether the last write failed, which is said once.
    failing: bool,
}

impl KeptFolder {
    /// Makes the folder if it is not there, and gives what its files hold. One that cannot be read is set aside.
    pub(super) fn open<T>(
        path: PathBuf,
        modes: Modes,
        read: impl Fn(&Path) -> Result<T, String>,
    ) -> Result<(Self, Vec<(PathBuf, T)>), StateError> {
        let at = |error| StateError {
            path: path.clone(),
            error,
        };
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(modes.folder)
            .create(&path)
            .map_err(at)?;
        let mut all = Vec::new();
        for entry in fs::read_dir(&path).map_err(at)? {
            let file = entry.map_err(at)?.path();
            // What was not written whole is called otherwise.
            if file.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match read(&file) {
                Ok(kept) => all.push((file, kept)),
                Err(reason) => {
                    tracing::warn!(path = %file.display(), %reason, "not what was kept: set aside");
                    let _ = fs::rename(&file, file.with_extension("bad"));
                }
            }
        }
        let folder = Self {
            path,
            modes,
            failing: false,
        };
        Ok((folder, all))
    }

    /// From now on this is kept of a name, or nothing any more.
    pub(super) fn note(&mut self, name: impl Display, bytes: Option<&[u8]>) {
        let path = self.path.join(file_name(name));
        let written = match bytes {
            Some(bytes) => write(&path, bytes, self.modes.file),
            None => remove(&path),
        };
        if let Err(error) = &written
            && !self.failing
        {
            tracing::error!(path = %path.display(), %error, "what is served is not kept: after a restart it is not there");
        }
        self.failing = written.is_err();
    }
}

/// A name for a file, of one that may be longer than a file's may be.
fn file_name(name: impl Display) -> String {
    let digest = Sha256::digest(name.to_string());
    let bytes = digest.iter().take(16);
    bytes.map(|byte| format!("{byte:02x}")).collect::<String>() + ".json"
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension("new");
    // Nobody else's file is written into, nor what a link leads to.
    remove(&beside)?;
    let mut options = OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
