//! Credentials whose Secrets do not provide them any more, kept in `--state-dir`: what is served of them is served on when the
//! agent starts anew. Key pairs are kept with their keys, and so only if `--state-keys` says so; nobody but the agent's user
//! may read them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealgate_model::{CredentialName, Meta, SecretObject};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::claim_log::StateError;
use crate::credential::Credential;
use crate::credentials::HeldCredential;

const FOLDER: &str = "credentials";

/// A credential as a file. What it holds is PEM; a staple is left out, for it is short-lived.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialFile {
    namespace: String,
    name: String,
    /// Whether the Secret without the suffix provided it.
    of_base: bool,
    /// Plain text, here alone: the allocator overwrites what is freed.
    data: BTreeMap<String, String>,
}

/// See the module.
#[derive(Debug)]
pub struct KeptCredentials {
    folder: PathBuf,
    /// Whether key pairs are kept too.
    keys: bool,
    /// Whether the last write failed, which is said once.
    failing: bool,
}

/// A credential that was kept: its name, the Secret that would provide it, and whether that has no suffix.
pub type RememberedCredential = (CredentialName, SecretObject, bool);

impl KeptCredentials {
    /// Reads what stands in a folder, which is made if it is not there. Without `keys` no key is read, and those that an agent
    /// before this one kept are removed.
    ///
    /// # Errors
    /// The folder can neither be made nor read.
    pub fn open(state: &Path, keys: bool) -> Result<(Self, Vec<RememberedCredential>), StateError> {
        let folder = state.join(FOLDER);
        let at = |error| StateError {
            path: folder.clone(),
            error,
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&folder).map_err(at)?;
        let mut all = Vec::new();
        for entry in fs::read_dir(&folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            if !super::is_whole(&path) {
                continue;
            }
            match read(&path) {
                Ok((_, secret, _)) if !keys && secret.data.contains_key("tls.key") => {
                    fs::remove_file(&path).map_err(at)?;
                }
                Ok(kept) => all.push(kept),
                Err(reason) => {
                    tracing::warn!(path = %path.display(), %reason, "not a credential that was kept: set aside");
                    let _ = fs::rename(&path, path.with_extension("bad"));
                }
            }
        }
        let kept = Self {
            folder,
            keys,
            failing: false,
        };
        Ok((kept, all))
    }

    /// From now on these credentials are kept, or no more.
    pub fn note(&mut self, changes: BTreeMap<CredentialName, Option<HeldCredential>>) {
        for (name, held) in changes {
            let path = self.folder.join(super::file_name(&name));
            let is_key = |held: &HeldCredential| matches!(&*held.credential, Credential::KeyPair(_));
            let written = match held.filter(|held| self.keys || !is_key(held)) {
                Some(held) => write(&path, &name, &held),
                None => remove(&path),
            };
            if let Err(error) = &written
                && !self.failing
            {
                tracing::error!(path = %path.display(), %error, "a credential is not kept: after a restart it is not there");
            }
            self.failing = written.is_err();
        }
    }
}

fn write(path: &Path, name: &CredentialName, held: &HeldCredential) -> io::Result<()> {
    let data = held.credential.data().into_iter();
    let file = CredentialFile {
        namespace: name.namespace.to_string(),
        name: name.name.to_string(),
        of_base: held.of_base,
        data: data
            .map(|(key, value)| (key.to_owned(), String::clone(&value)))
            .collect(),
    };
    let bytes = Zeroizing::new(serde_json::to_vec(&file)?);
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    let written = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(&bytes))
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

fn read(path: &Path) -> Result<RememberedCredential, String> {
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| error.to_string())?);
    // An error of serde's quotes what it could not read.
    let file: CredentialFile =
        serde_json::from_slice(&bytes).map_err(|error| format!("line {}", error.line()))?;
    let name = CredentialName::new(Arc::<str>::from(file.namespace), &*file.name);
    let data = file.data.into_iter();
    let data = data.map(|(key, value)| (key, Zeroizing::new(value.into_bytes())));
    let secret = SecretObject {
        meta: Meta {
            namespace: Arc::clone(&name.namespace),
            name: Arc::clone(&name.name),
            ..Meta::default()
        },
        type_: "Opaque".to_owned(),
        data: data.collect(),
    };
    Ok((name, secret, file.of_base))
}
