//! What passes from one agent to the next: what it restores before anything is applied, and what it keeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealgate_model::resolve::{Claim, Claims, Tenure};
use sealgate_model::{CredentialName, Object, ObjectRef, SourceObject};

use super::Engine;
use crate::credentials::HeldCredential;
use crate::kept::credentials::RememberedCredential;
use crate::kept::held_back::RememberedBlame;
use crate::trial::Blame;

impl Engine {
    /// Restores the claims that the previous agent had. Must be called before anything is applied.
    pub fn remember(&mut self, claims: &Claims) {
        self.resolver.remember(claims);
        let claims = claims.iter();
        self.standing
            .extend(claims.map(|(claim, tenure)| (claim.clone(), tenure.clone())));
    }

    /// Restores objects that the previous agent served although their sources had other versions. Must be called before
    /// anything is applied, and takes effect with the first change: claims that nothing asks for are given up.
    pub fn remember_objects(&mut self, kept: Vec<SourceObject>) {
        let names = kept.iter().map(|own| own.object_ref.clone());
        names.for_each(|name| self.doubts.know(name));
        self.store.remember(kept, &mut self.remembered.0);
    }

    /// Notes that the previous contents of these files are known. Must be called before anything is applied.
    pub fn know_files(&mut self, files: Vec<ObjectRef>) {
        files.into_iter().for_each(|file| self.doubts.know(file));
    }

    /// Restores credentials that the previous agent served although no Secret provided them. Must be called before
    /// anything is applied.
    pub fn remember_credentials(&mut self, kept: Vec<RememberedCredential>) {
        for (name, secret, of_base) in kept {
            let touched = &mut self.remembered.1;
            self.credentials.remember(&name, (&secret, of_base), touched);
        }
    }

    /// Restores the versions of bundles' own Secrets that a previous agent knew: see [`Credentials::own_version`]. Must
    /// be called before anything is applied.
    pub fn remember_versions(&mut self, versions: BTreeMap<CredentialName, String>) {
        self.unheard.extend(versions.keys().cloned());
        self.credentials.remember_versions(versions);
    }

    /// The bundles that changed since the last call, each with the last version from its own Secret.
    pub fn take_own_versions(&mut self) -> BTreeMap<CredentialName, Option<String>> {
        std::mem::take(&mut self.own_versions)
    }

    /// The credentials that changed since the last call, each with what is served if its Secrets no longer provide it.
    pub fn take_held(&mut self) -> BTreeMap<CredentialName, Option<HeldCredential>> {
        std::mem::take(&mut self.held)
    }

    /// Changes since the last call of which objects are served in a version other than their source's, each with that
    /// version; none if it is the source's again.
    pub fn take_kept(&mut self) -> BTreeMap<ObjectRef, Option<Arc<Object>>> {
        self.store.take_kept()
    }

    /// Restores the objects that the previous agent held back because a proxy rejected them. Must be called before
    /// anything is applied.
    pub fn remember_held_back(&mut self, held_back: Vec<RememberedBlame>) {
        let recalled = held_back.into_iter().map(|own| (own.object.clone(), own));
        self.recalled = recalled.collect();
        self.blamed = self.recalled.keys().map(|name| (name.clone(), None)).collect();
    }

    /// Changes since the last call of which objects are held back because a proxy rejects them; none if one no longer
    /// is. Empty until the first list is complete.
    pub fn take_held_back(&mut self) -> BTreeMap<ObjectRef, Option<(Arc<Object>, Blame)>> {
        if !self.synced {
            return BTreeMap::new();
        }
        let mut changes: BTreeMap<_, _> = BTreeMap::new();
        let mut before = std::mem::take(&mut self.blamed);
        for (name, source, blame) in self.trials.blamed() {
            let known = before.remove(name).flatten();
            if known.is_none_or(|known| !Arc::ptr_eq(&known, source)) {
                changes.insert(name.clone(), Some((Arc::clone(source), blame.clone())));
            }
            self.blamed.insert(name.clone(), Some(Arc::clone(source)));
        }
        changes.extend(before.into_keys().map(|name| (name, None)));
        changes
    }

    /// The claims that changed since the last call.
    pub fn take_claims(&mut self) -> BTreeMap<Claim, Option<Tenure>> {
        std::mem::take(&mut self.claims)
    }

    /// Once all Secrets have been read, what a previous agent knew about others is useless.
    pub(super) fn forget_versions(&mut self) {
        if !self.synced {
            return;
        }
        for name in std::mem::take(&mut self.unheard) {
            let is_wanted = self.resolver.wanted().contains(&name);
            self.credentials.forget_version(&name, is_wanted);
            self.note_version(&name);
        }
    }
}
