//! Credentials whose Secrets do not provide them any more, kept in `--state-dir`: what is served of them is served on when the
//! agent starts anew. Key pairs are kept with their keys, and so only if `--state-keys` says so; nobody but the agent's user
//! may read them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::annotation::ALLOWED_NAMESPACES;
use sealgate_model::{CredentialName, Meta, SecretObject};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::folder::KeptFolder;
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
    /// The namespaces whose Gateways may name it; none if that is not known.
    #[serde(default)]
    allowed: Option<Vec<String>>,
    /// Plain text, here alone: the allocator overwrites what is freed.
    data: BTreeMap<String, String>,
}

/// See the module.
#[derive(Debug)]
pub struct KeptCredentials {
    folder: KeptFolder,
    /// Whether key pairs are kept too.
    keys: bool,
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
        let (folder, kept) = KeptFolder::open(state.join(FOLDER), read)?;
        let mut all = Vec::new();
        for (path, kept) in kept {
            if keys || !kept.1.data.contains_key("tls.key") {
                all.push(kept);
            } else {
                fs::remove_file(&path).map_err(|error| StateError { path, error })?;
            }
        }
        Ok((Self { folder, keys }, all))
    }

    /// From now on these credentials are kept, or no more.
    pub fn note(&mut self, changes: BTreeMap<CredentialName, Option<HeldCredential>>) {
        for (name, held) in changes {
            let is_key = |held: &HeldCredential| matches!(&*held.credential, Credential::KeyPair(_));
            let held = held.filter(|held| self.keys || !is_key(held));
            let bytes = held.and_then(|held| encode(&name, &held));
            self.folder
                .note(name, bytes.as_ref().map(|bytes| bytes.as_slice()));
        }
    }
}

fn encode(name: &CredentialName, held: &HeldCredential) -> Option<Zeroizing<Vec<u8>>> {
    let data = held.credential.data().into_iter();
    let file = CredentialFile {
        namespace: name.namespace.to_string(),
        name: name.name.to_string(),
        of_base: held.of_base,
        allowed: held
            .allowed
            .as_ref()
            .map(|names| names.iter().map(ToString::to_string).collect()),
        data: data
            .map(|(key, value)| (key.to_owned(), String::clone(&value)))
            .collect(),
    };
    serde_json::to_vec(&file).ok().map(Zeroizing::new)
}

fn read(path: &Path) -> Result<RememberedCredential, String> {
    let bytes = Zeroizing::new(fs::read(path).map_err(|error| error.to_string())?);
    // An error of serde's quotes what it could not read.
    let file: CredentialFile =
        serde_json::from_slice(&bytes).map_err(|error| format!("line {}", error.line()))?;
    let name = CredentialName::new(Arc::<str>::from(file.namespace), &*file.name);
    let allowed = file.allowed.into_iter();
    let annotations = allowed.map(|names| (ALLOWED_NAMESPACES.to_owned(), names.join(",")));
    let data = file.data.into_iter();
    let data = data.map(|(key, value)| (key, Zeroizing::new(value.into_bytes())));
    let secret = SecretObject {
        meta: Meta {
            namespace: Arc::clone(&name.namespace),
            name: Arc::clone(&name.name),
            annotations: annotations.collect(),
            ..Meta::default()
        },
        type_: "Opaque".to_owned(),
        data: data.collect(),
    };
    Ok((name, secret, file.of_base))
}
