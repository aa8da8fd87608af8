//! Taking the source's events, one object at a time.

use std::collections::BTreeSet;

use sealgate_model::store::Judged;
use sealgate_model::{CredentialName, Kind, Object, ObjectRef, SourceObject};

use super::Engine;

impl Engine {
    pub(super) fn reset(
        &mut self,
        mut entries: Vec<SourceObject>,
        step: &mut Judged,
        touched: &mut BTreeSet<CredentialName>,
    ) {
        // Of two that conflict, the older one wins, or else the one that the source names first.
        entries.sort_by_key(|entry| entry.object.as_ref().and_then(|object| object.meta().created));
        let listed: BTreeSet<_> = entries.iter().map(|entry| entry.object_ref.clone()).collect();
        let mut known: BTreeSet<_> = self.store.names().cloned().collect();
        known.extend(self.credentials.secrets());
        known.extend(self.ledger.findings().keys().cloned());
        for name in known.difference(&listed) {
            self.delete(name, step, touched);
        }
        for entry in entries {
            self.set(entry, step, touched);
        }
    }

    pub(super) fn set(
        &mut self,
        entry: SourceObject,
        step: &mut Judged,
        touched: &mut BTreeSet<CredentialName>,
    ) {
        if entry.object_ref.kind == Kind::Secret && entry.object.is_none() {
            self.credentials.set_unread(&entry.object_ref, touched);
        }
        if entry.is_unread() {
            return self.store.hold(&entry.object_ref);
        }
        let Some(Object::Secret(secret)) = &entry.object else {
            if !self.trials.holds_back(&entry.object_ref, entry.object.as_ref()) {
                self.judge(entry, step);
            }
            return;
        };
        self.doubts.judge(&entry.object_ref);
        let mut findings = entry.findings;
        findings.extend(self.credentials.set(secret, (self.clock.0)(), touched));
        step.say(entry.object_ref, findings);
    }

    pub(super) fn judge(&mut self, entry: SourceObject, step: &mut Judged) {
        let (name, object) = (entry.object_ref.clone(), entry.object.clone());
        let former = self.store.get(&name).cloned();
        self.store.set(entry, step);
        let recalled = self.recalled.remove(&name);
        if let Some(blame) = recalled.and_then(|recalled| recalled.of(object.as_ref())) {
            self.hold_back(&name, former, blame, step);
        }
        let said = step.said.get(&name).map_or(&[][..], Vec::as_slice);
        self.doubts
            .take(&name, object.as_ref(), said, &self.settings.gateway.resolved());
    }

    pub(super) fn delete(
        &mut self,
        name: &ObjectRef,
        step: &mut Judged,
        touched: &mut BTreeSet<CredentialName>,
    ) {
        self.doubts.judge(name);
        if name.kind == Kind::Secret {
            self.credentials.delete(name, touched);
            step.delete(name);
        } else {
            self.trials.holds_back(name, None);
            self.store.delete(name, step);
        }
    }

    /// Updates what proxies must keep from a previous agent.
    pub(super) fn look_at_doubts(&mut self) {
        if self.synced {
            self.doubts.close(&self.credentials, &self.resolver);
        }
        self.doubts.look(&self.credentials, &self.resolver);
    }
}
