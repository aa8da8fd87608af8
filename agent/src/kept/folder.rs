//! A folder of things that are kept, a file each. What cannot be written is logged, and nothing waits for it.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::claim_log::StateError;
use crate::private;

/// See the module.
#[derive(Debug)]
pub(super) struct KeptFolder {
    path: PathBuf,
    /// Whether the last write failed, which is said once.
    failing: bool,
}

impl KeptFolder {
    /// Makes the folder if it is not there, and gives what its files hold. One that cannot be read is set aside.
    pub(super) fn open<T>(
        path: PathBuf,
        read: impl Fn(&Path) -> Result<T, String>,
    ) -> Result<(Self, Vec<(PathBuf, T)>), StateError> {
        let at = |error| StateError {
            path: path.clone(),
            error,
        };
        private::folder(&path).map_err(at)?;
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
                    tracing::warn!(path = %file.display(), %reason, "cannot read a state file; renaming it to .bad");
                    let _ = fs::rename(&file, file.with_extension("bad"));
                }
            }
        }
        let folder = Self { path, failing: false };
        Ok((folder, all))
    }

    /// From now on this is kept of a name, or nothing any more.
    pub(super) fn note(&mut self, name: impl Display, bytes: Option<&[u8]>) {
        let path = self.path.join(file_name(name));
        let written = match bytes {
            Some(bytes) => write(&path, bytes),
            None => private::remove(&path),
        };
        if let Err(error) = &written
            && !self.failing
        {
            tracing::error!(path = %path.display(), %error, "cannot store what is served: it will be missing after \
                a restart");
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

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let written = private::file(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
