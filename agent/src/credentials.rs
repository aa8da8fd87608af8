//! Credentials as they stand: of each the last good version, and beside it what its Secrets say now.

mod record;

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use sealgate_model::annotation;
use sealgate_model::resolve::ServedCertificate;
use sealgate_model::{BUNDLE_SUFFIX, CredentialName};
use sealgate_model::{Finding, ObjectRef, SecretObject};
use time::OffsetDateTime;

pub use self::record::CredentialRecord;

use self::record::{Spoken, Voice};
use crate::credential::{self, Credential, CredentialOutcome, CredentialPolicy, Part};
use crate::deadlines::Deadlines;

/// All credentials; a clone costs nothing.
pub type Records = OrdMap<CredentialName, Arc<CredentialRecord>>;

/// See the module.
#[derive(Debug)]
pub struct Credentials {
    policy: CredentialPolicy,
    records: Records,
    /// Those that are held without a Secret.
    unclaimed: BTreeSet<CredentialName>,
    /// Those that other namespaces may name since the last time.
    reallowed: BTreeSet<CredentialName>,
    /// When dates are to be looked at again.
    looks: Deadlines<CredentialName, OffsetDateTime>,
}

/// What is served of a credential whose Secrets do not provide it any more.
#[derive(Clone, Debug)]
pub struct HeldCredential {
    /// The last good version.
    pub credential: Arc<Credential>,
    /// Whether the Secret without the suffix provided it.
    pub of_base: bool,
}

/// A Secret as far as credentials are made of it; silent once it is gone.
#[derive(Debug, Default)]
struct SecretWords {
    pair: Voice,
    bundle: Voice,
    allowed: Option<Arc<[Arc<str>]>>,
}

impl Credentials {
    /// None yet.
    #[must_use]
    pub fn new(policy: CredentialPolicy) -> Self {
        Self {
            policy,
            records: Records::new(),
            unclaimed: BTreeSet::new(),
            reallowed: BTreeSet::new(),
            looks: Deadlines::default(),
        }
    }

    /// All of them.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The good version of a credential.
    #[must_use]
    pub fn good(&self, name: &CredentialName) -> Option<&Arc<Credential>> {
        self.records.get(name)?.good.as_ref()
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_served(&self, name: &CredentialName) -> bool {
        self.good(name).is_some()
    }

    /// What handshakes depend on of the certificate of a key pair.
    #[must_use]
    pub fn certificate(&self, name: &CredentialName) -> Option<ServedCertificate> {
        match &**self.good(name)? {
            Credential::KeyPair(pair) => Some(pair.facts().served()),
            Credential::TrustBundle(_) => None,
        }
    }

    /// A good credential of the same name in another namespace.
    #[must_use]
    pub fn namesake(&self, name: &CredentialName) -> Option<CredentialName> {
        let mut next = self
            .records
            .keys()
            .next()
            .map(|first| Arc::clone(&first.namespace));
        while let Some(namespace) = next {
            let other = CredentialName::new(Arc::clone(&namespace), Arc::clone(&name.name));
            if *namespace != *name.namespace && self.is_served(&other) {
                return Some(other);
            }
            // The next namespace's first.
            let after: Arc<str> = format!("{namespace}\0").into();
            let mut rest = self.records.range(CredentialName::new(after, "")..);
            next = rest.next().map(|(first, _)| Arc::clone(&first.namespace));
        }
        None
    }

    /// The namespaces whose Gateways may name a credential, as its Secret said last; none before that was read.
    #[must_use]
    pub fn allowed_namespaces(&self, name: &CredentialName) -> Option<&[Arc<str>]> {
        self.records.get(name)?.allowed().map(AsRef::as_ref)
    }

    /// The credentials that other namespaces may name since the last time.
    pub fn take_reallowed(&mut self) -> BTreeSet<CredentialName> {
        std::mem::take(&mut self.reallowed)
    }

    /// The Secrets that were read.
    pub fn secrets(&self) -> impl Iterator<Item = ObjectRef> {
        let records = self.records.iter();
        records.flat_map(|(name, record)| record.secrets(name))
    }

    /// Reads a Secret; notes the credentials that it changes, and gives what is to be said of it at any time.
    pub fn set(
        &mut self,
        secret: &SecretObject,
        now: OffsetDateTime,
        touched: &mut BTreeSet<CredentialName>,
    ) -> Vec<Finding> {
        let policy = self.policy_at(now);
        let object = credential::object(secret);
        let material = credential::material(secret, &policy);
        let voice = |part: Option<Part>| match part {
            Some(part) => Voice::Says(Spoken::new(part, &object, &policy)),
            None => Voice::Silent,
        };
        let words = SecretWords {
            pair: voice(material.key_pair),
            bundle: voice(material.trust_bundle),
            allowed: Some(annotation::allowed_namespaces(&secret.meta).into()),
        };
        self.speak(&object, words, touched);
        material.findings
    }

    fn policy_at(&self, now: OffsetDateTime) -> CredentialPolicy {
        CredentialPolicy { now, ..self.policy }
    }

    /// A Secret is gone; the good versions of what it spoke for stay.
    pub fn delete(&mut self, secret: &ObjectRef, touched: &mut BTreeSet<CredentialName>) {
        self.speak(secret, SecretWords::default(), touched);
    }

    /// When to call [`Self::look`] next.
    #[must_use]
    pub fn next_look(&self) -> Option<OffsetDateTime> {
        self.looks.next()
    }

    /// Judges anew those of which a date has passed, and notes those that this changes.
    pub fn look(&mut self, now: OffsetDateTime, touched: &mut BTreeSet<CredentialName>) {
        let policy = self.policy_at(now);
        while let Some(name) = self.looks.take_due(now) {
            let judge = |record: &mut CredentialRecord| record.judge(&name, &policy);
            self.record(name.clone(), touched, judge);
        }
    }

    /// A Secret speaks for the key pair of its name, and for the bundle: its own if its name says so, else the one
    /// that belongs to its pair.
    fn speak(&mut self, secret: &ObjectRef, words: SecretWords, touched: &mut BTreeSet<CredentialName>) {
        let SecretWords {
            pair,
            bundle,
            allowed,
        } = words;
        let name = CredentialName::new(Arc::clone(&secret.namespace), Arc::clone(&secret.name));
        if secret.name.ends_with(BUNDLE_SUFFIX) {
            self.record(name, touched, |record| {
                record.set_own(bundle.or(pair));
                record.allow(allowed);
            });
        } else {
            let bundle_name = name.bundle();
            self.record(name, touched, |record| {
                record.set_own(pair);
                record.allow(allowed.clone());
            });
            self.record(bundle_name, touched, |record| record.set_base(bundle, allowed));
        }
    }

    fn record(
        &mut self,
        name: CredentialName,
        touched: &mut BTreeSet<CredentialName>,
        set: impl FnOnce(&mut CredentialRecord),
    ) {
        let before = self.records.get(&name).cloned();
        let mut record = before.as_deref().cloned().unwrap_or_default();
        set(&mut record);
        record.keep_good();
        self.looks.remove(&name);
        if let Some(again) = record.again() {
            self.looks.add(name.clone(), again);
        }
        if before.as_deref().unwrap_or(&CredentialRecord::default()) == &record {
            return;
        }
        let is_kept = record.outcome().is_some() || record.good.is_some();
        let allowed = is_kept.then(|| record.allowed().cloned()).flatten();
        if before.and_then(|before| before.allowed().cloned()) != allowed {
            self.reallowed.insert(name.clone());
        }
        if record.is_unclaimed() {
            self.unclaimed.insert(name.clone());
        } else {
            self.unclaimed.remove(&name);
        }
        if is_kept {
            self.records.insert(name.clone(), Arc::new(record));
        } else {
            self.records.remove(&name);
        }
        touched.insert(name);
    }

    /// What is served of a credential, if its Secrets do not provide it any more.
    #[must_use]
    pub fn held(&self, name: &CredentialName) -> Option<HeldCredential> {
        self.records.get(name)?.held()
    }

    /// Serves a credential that an agent before this one held, until a Secret provides it: what this one would be. One that is
    /// not good any more is left out.
    pub fn remember(
        &mut self,
        name: &CredentialName,
        (secret, of_base): (&SecretObject, bool),
        now: OffsetDateTime,
        touched: &mut BTreeSet<CredentialName>,
    ) {
        let policy = self.policy_at(now);
        let material = credential::material(secret, &policy);
        let part = material.key_pair.or(material.trust_bundle);
        let verdict = part.map(|part| part.judge(&credential::object(secret), &policy));
        if let Some(CredentialOutcome::Ready(good)) = verdict.map(|verdict| verdict.outcome) {
            self.record(name.clone(), touched, |record| record.remember(good, of_base));
        }
    }

    /// Lets go of what is held for nobody: its Secrets do not provide it any more, and no Gateway names it.
    pub fn forget(&mut self, is_wanted: impl Fn(&CredentialName) -> bool) -> Vec<CredentialName> {
        let dead: Vec<_> = self
            .unclaimed
            .iter()
            .filter(|name| !is_wanted(name))
            .cloned()
            .collect();
        for name in &dead {
            self.record(name.clone(), &mut BTreeSet::new(), CredentialRecord::forget_good);
        }
        dead
    }

    /// What is to be said of a credential: that its Secrets do not, or do no longer, provide it, and what its dates give
    /// reason to say.
    #[must_use]
    pub fn findings(&self, name: &CredentialName) -> Vec<Finding> {
        let record = self.records.get(name);
        record.map(|record| record.findings(name)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
