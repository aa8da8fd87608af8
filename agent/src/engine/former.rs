//! What passes from one agent to the next: what is told before anything is applied, and what is to be kept for it.

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
    /// These claims stood when the agent before this one ended. To be told before anything is applied.
    pub fn remember(&mut self, claims: &Claims) {
        self.resolver.remember(claims);
        let claims = claims.iter();
        self.standing
            .extend(claims.map(|(claim, tenure)| (claim.clone(), tenure.clone())));
    }

    /// These objects were served when the agent before this one ended, though their sources had other versions. To be told
    /// before anything is applied, and looked at with that: what is claimed is given up where nobody asks for it.
    pub fn remember_objects(&mut self, kept: Vec<SourceObject>) {
        let names = kept.iter().map(|own| own.object_ref.clone());
        names.for_each(|name| self.doubts.know(name));
        self.store.remember(kept, &mut self.remembered.0);
    }

    /// What these files held when they could be read is known. To be told before anything is applied.
    pub fn know_files(&mut self, files: Vec<ObjectRef>) {
        files.into_iter().for_each(|file| self.doubts.know(file));
    }

    /// These credentials were served when the agent before this one ended, though no Secret provided them. To be told before
    /// anything is applied.
    pub fn remember_credentials(&mut self, kept: Vec<RememberedCredential>) {
        for (name, secret, of_base) in kept {
            let touched = &mut self.remembered.1;
            self.credentials.remember(&name, (&secret, of_base), touched);
        }
    }

    /// An agent before this one knew these versions of bundles' own Secrets: see [`Credentials::own_version`]. To be told before
    /// anything is applied.
    pub fn remember_versions(&mut self, versions: BTreeMap<CredentialName, String>) {
        self.unheard.extend(versions.keys().cloned());
        self.credentials.remember_versions(versions);
    }

    /// Of bundles that changed since the last time: the version that its own Secret provided last.
    pub fn take_own_versions(&mut self) -> BTreeMap<CredentialName, Option<String>> {
        std::mem::take(&mut self.own_versions)
    }

    /// Of credentials that changed since the last time: what is served of each, if its Secrets do not provide it any more.
    pub fn take_held(&mut self) -> BTreeMap<CredentialName, Option<HeldCredential>> {
        std::mem::take(&mut self.held)
    }

    /// What is served of objects whose sources have other versions, where that is new since the last time: none if it is no
    /// other any more.
    pub fn take_kept(&mut self) -> BTreeMap<ObjectRef, Option<Arc<Object>>> {
        self.store.take_kept()
    }

    /// These objects were held back when the agent before this one ended, because a proxy refused them. To be told before
    /// anything is applied.
    pub fn remember_held_back(&mut self, held_back: Vec<RememberedBlame>) {
        let recalled = held_back.into_iter().map(|own| (own.object.clone(), own));
        self.recalled = recalled.collect();
        self.blamed = self.recalled.keys().map(|name| (name.clone(), None)).collect();
    }

    /// The objects that are held back because a proxy refuses them, where that is new since the last time: none if one is no
    /// more. Of the first list nothing is known before it is complete.
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

    /// The claims that stand otherwise since the last time.
    pub fn take_claims(&mut self) -> BTreeMap<Claim, Option<Tenure>> {
        std::mem::take(&mut self.claims)
    }

    /// Once all Secrets were heard of, what an agent before this one knew of others is of no use.
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
