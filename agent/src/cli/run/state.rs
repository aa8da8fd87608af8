//! What outlives the agent: the folder of `--state-dir`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::anyhow;
use sealgate_model::{CredentialName, SourceObject};

use crate::claim_log::{ClaimLog, StateError};
use crate::engine::Engine;
use crate::kept::KeptObjects;
use crate::kept::bundles::KeptBundles;
use crate::kept::credentials::{KeptCredentials, RememberedCredential};
use crate::kept::held_back::{KeptBlames, RememberedBlame};

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    claims: ClaimLog,
    objects: KeptObjects,
    credentials: KeptCredentials,
    held_back: KeptBlames,
    bundles: KeptBundles,
}

/// What an agent before this one kept.
pub(super) struct KeptState {
    objects: Vec<SourceObject>,
    credentials: Vec<RememberedCredential>,
    held_back: Vec<RememberedBlame>,
    bundles: BTreeMap<CredentialName, String>,
}

/// An error of `--state-dir`, with what it is about by its name in the folder.
pub(super) fn unusable(folder: &Path, error: &StateError) -> anyhow::Error {
    let StateError { path, error } = error;
    let flag = format!("--state-dir {}", folder.display());
    match path.strip_prefix(folder) {
        Ok(name) if !name.as_os_str().is_empty() => anyhow!("{flag}: cannot use {}: {error}", name.display()),
        _ => anyhow!("{flag}: {error}"),
    }
}

impl State {
    /// Opens the folder, and gives what was kept in it; keys only if they may be there.
    pub(super) fn open(folder: &Path, keys: bool) -> Result<(Self, KeptState), StateError> {
        let claims = ClaimLog::open(folder)?;
        let (objects, kept_objects) = KeptObjects::open(folder)?;
        let (credentials, kept_credentials) = KeptCredentials::open(folder, keys)?;
        let (held_back, kept_held_back) = KeptBlames::open(folder)?;
        let (bundles, kept_bundles) = KeptBundles::open(folder)?;
        let state = Self {
            claims,
            objects,
            credentials,
            held_back,
            bundles,
        };
        let kept = KeptState {
            objects: kept_objects,
            credentials: kept_credentials,
            held_back: kept_held_back,
            bundles: kept_bundles,
        };
        Ok((state, kept))
    }

    /// Tells an engine that knows nothing yet what was kept.
    pub(super) fn tell(&self, kept: KeptState, engine: &mut Engine) {
        engine.remember(self.claims.claims());
        engine.remember_objects(kept.objects);
        engine.remember_credentials(kept.credentials);
        engine.remember_held_back(kept.held_back);
        engine.remember_versions(kept.bundles);
    }

    /// Writes what is to outlive the agent, as far as it changed.
    pub(super) fn note(&mut self, engine: &mut Engine) {
        self.claims.note(engine.take_claims());
        self.objects.note(engine.take_kept());
        self.credentials.note(engine.take_held());
        self.held_back.note(engine.take_held_back());
        self.bundles.note(engine.take_own_versions());
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_begins_with_the_flag_and_its_folder() {
        for (path, said) in [
            ("/proc/foo", "--state-dir /proc/foo: entity not found"),
            (
                "/proc/foo/files",
                "--state-dir /proc/foo: cannot use files: entity not found",
            ),
        ] {
            let error = StateError {
                path: path.into(),
                error: io::ErrorKind::NotFound.into(),
            };
            assert_eq!(unusable(Path::new("/proc/foo"), &error).to_string(), said);
        }
    }
}
