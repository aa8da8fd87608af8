//! What if: the same gateway after an edit.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Preview;
use crate::{Finding, Kind, ObjectRef, SourceObject};

impl Preview {
    /// This gateway with these objects, and without the removed ones. What was there before keeps its claims, as in a
    /// running agent.
    #[must_use]
    pub fn with_edits(&self, entries: Vec<SourceObject>, removed: &BTreeSet<ObjectRef>) -> Self {
        let mut trial = Self::new(
            self.gateway.clone(),
            self.paths,
            self.secrets.clone(),
            &self.resolver.claims(),
        );
        for object in self.store.objects() {
            trial.serve(&object.object_ref(), Some(Arc::clone(object)));
        }
        for name in self.store.unpaid() {
            trial.unpay(name);
        }
        let said = self.said.iter();
        trial
            .step
            .said
            .extend(said.map(|(name, findings)| (name.clone(), findings.clone())));
        trial.settle();
        for name in removed.iter().filter(|name| name.kind != Kind::Secret) {
            trial.store.delete(name, &mut trial.step);
        }
        entries.into_iter().for_each(|entry| trial.set(entry));
        trial.settle();
        trial
    }

    /// Findings that this one has and `other` does not.
    #[must_use]
    pub fn findings_beyond(&self, other: &Self) -> Vec<Finding> {
        let known: BTreeSet<_> = other.findings().into_iter().collect();
        let own = self.findings().into_iter();
        own.filter(|finding| !known.contains(finding)).collect()
    }
}
