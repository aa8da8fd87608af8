//! What outlives the agent: the folder of `--state-dir`.

use std::path::Path;

use sealgate_model::SourceObject;

use crate::claim_log::{ClaimLog, StateError};
use crate::engine::Engine;
use crate::kept::KeptObjects;

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    pub(super) claims: ClaimLog,
    objects: KeptObjects,
}

impl State {
    /// Opens the folder, and gives the objects that were kept in it.
    pub(super) fn open(folder: &Path) -> Result<(Self, Vec<SourceObject>), StateError> {
        let claims = ClaimLog::open(folder)?;
        let (objects, kept) = KeptObjects::open(folder)?;
        Ok((Self { claims, objects }, kept))
    }

    /// Writes what is to outlive the agent, as far as it changed.
    pub(super) fn note(&mut self, engine: &mut Engine) {
        self.claims.note(engine.take_claims());
        self.objects.note(engine.take_kept());
    }
}
