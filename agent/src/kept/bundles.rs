//! Which version of a trust bundle its own Secret, `NAME-cacert`, provided last, kept in `--state-dir`: where that Secret was
//! deleted while no agent looked, it is said that another one is trusted in its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::CredentialName;
use serde::{Deserialize, Serialize};

use super::folder::KeptFolder;
use crate::claim_log::StateError;

const FOLDER: &str = "bundles";

/// A bundle as a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BundleFile {
    namespace: String,
    name: String,
    /// A hash of what it holds.
    version: String,
}

/// See the module.
#[derive(Debug)]
pub struct KeptBundles(KeptFolder);

impl KeptBundles {
    /// Reads what stands in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// The folder can neither be made nor read.
    pub fn open(state: &Path) -> Result<(Self, BTreeMap<CredentialName, String>), StateError> {
        let (folder, kept) = KeptFolder::open(state.join(FOLDER), read)?;
        Ok((Self(folder), kept.into_iter().map(|(_, bundle)| bundle).collect()))
    }

    /// From now on these versions are known, or none.
    pub fn note(&mut self, changes: BTreeMap<CredentialName, Option<String>>) {
        for (name, version) in changes {
            let file = version.map(|version| BundleFile {
                namespace: name.namespace.to_string(),
                name: name.name.to_string(),
                version,
            });
            let bytes = file.and_then(|file| serde_json::to_vec(&file).ok());
            self.0.note(name, bytes.as_deref());
        }
    }
}

fn read(path: &Path) -> Result<(CredentialName, String), String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let file: BundleFile = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let name = CredentialName::new(Arc::<str>::from(file.namespace), &*file.name);
    Ok((name, file.version))
}
