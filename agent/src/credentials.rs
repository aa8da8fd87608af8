//! Credentials as they stand: of each the last good version, and beside it what its Secrets say now.

mod looks;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use sealgate_model::annotation;
use sealgate_model::resolve::ServedCertificate;
use sealgate_model::{BUNDLE_SUFFIX, CredentialName};
use sealgate_model::{Finding, ObjectRef, SecretObject};
use time::OffsetDateTime;

pub use self::record::{AllowedNamespaces, CredentialRecord};

use self::looks::Looks;
use self::record::{Spoken, Voice};
use crate::credential::{self, Credential, CredentialPolicy, Part};

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
    /// Records that Secrets spoke of in this step. What is good of them is known once all have: a bundle's own Secret may
    /// come after the one that would be trusted in its place.
    open: BTreeMap<CredentialName, CredentialRecord>,
    /// The Secrets that did.
    heard: BTreeSet<ObjectRef>,
    /// Of bundles: the versions that their own Secrets provided last.
    own_versions: BTreeMap<CredentialName, String>,
    /// When dates are to be looked at again.
    looks: Looks,
}

/// What is served of a credential whose Secrets do not provide it any more.
#[derive(Clone, Debug)]
pub struct HeldCredential {
    /// The last good version.
    pub credential: Arc<Credential>,
    /// Whether the Secret without the suffix provided it.
    pub of_base: bool,
    /// The namespaces whose Gateways may name it; none if that is not known.
    pub allowed: Option<Arc<[Arc<str>]>>,
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
            open: BTreeMap::new(),
            heard: BTreeSet::new(),
            own_versions: BTreeMap::new(),
            looks: Looks::default(),
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

    /// The Secrets that there are.
    pub fn secrets(&self) -> impl Iterator<Item = ObjectRef> {
        let records = self.records.iter();
        records.flat_map(|(name, record)| record.secrets(name))
    }

    /// Reads a Secret, and gives what is to be said of it at any time. What follows is known once the step is over: see
    /// [`Self::settle`]; of a step in which a Secret speaks twice, once it does.
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

    /// A Secret is there and cannot be read: what it said before stands, and nothing is used in its place.
    pub fn set_unread(&mut self, secret: &ObjectRef, touched: &mut BTreeSet<CredentialName>) {
        self.hear(secret, touched);
        let name = CredentialName::new(Arc::clone(&secret.namespace), Arc::clone(&secret.name));
        if !name.is_bundle() {
            self.record(name.bundle(), CredentialRecord::set_base_unread);
        }
        self.record(name, CredentialRecord::set_own_unread);
    }

    /// When to call [`Self::look`] next, if the clock goes as it should.
    #[must_use]
    pub fn next_look(&self) -> Option<OffsetDateTime> {
        self.looks.next()
    }

    /// Whether anything has a date, so that a clock that is set anew matters.
    #[must_use]
    pub fn has_dates(&self) -> bool {
        !self.looks.is_empty()
    }

    /// Judges anew those of which a date has passed, in whichever direction the clock went, and notes those that this changes.
    pub fn look(&mut self, now: OffsetDateTime, touched: &mut BTreeSet<CredentialName>) {
        let policy = self.policy_at(now);
        while let Some(name) = self.looks.take_due(now) {
            let judge = |record: &mut CredentialRecord| record.judge(&name, &policy);
            self.record(name.clone(), judge);
        }
        self.settle(touched);
    }

    /// A Secret that speaks for the second time in a step means something else than at first: what it said then counts too.
    fn hear(&mut self, secret: &ObjectRef, touched: &mut BTreeSet<CredentialName>) {
        if self.heard.contains(secret) {
            self.settle(touched);
        }
        self.heard.insert(secret.clone());
    }

    /// A Secret speaks for the key pair of its name, and for the bundle: its own if its name says so, else the one
    /// that belongs to its pair.
    fn speak(&mut self, secret: &ObjectRef, words: SecretWords, touched: &mut BTreeSet<CredentialName>) {
        self.hear(secret, touched);
        let SecretWords {
            pair,
            bundle,
            allowed,
        } = words;
        let name = CredentialName::new(Arc::clone(&secret.namespace), Arc::clone(&secret.name));
        if secret.name.ends_with(BUNDLE_SUFFIX) {
            self.record(name, |record| {
                record.set_own(bundle.or(pair));
                record.allow(allowed);
            });
        } else {
            let bundle_name = name.bundle();
            self.record(name, |record| {
                record.set_own(pair);
                record.allow(allowed.clone());
            });
            self.record(bundle_name, |record| record.set_base(bundle, allowed));
        }
    }

    fn record(&mut self, name: CredentialName, set: impl FnOnce(&mut CredentialRecord)) {
        let (records, versions) = (&self.records, &self.own_versions);
        let record = self.open.entry(name).or_insert_with_key(|name| {
            let mut record = records
                .get(name)
                .map(|known| (**known).clone())
                .unwrap_or_default();
            record.set_own_version(versions.get(name).cloned());
            record
        });
        set(record);
    }

    /// A step is over: what is good is served, and what changed is noted.
    pub fn settle(&mut self, touched: &mut BTreeSet<CredentialName>) {
        self.heard.clear();
        for (name, mut record) in std::mem::take(&mut self.open) {
            record.keep_good();
            self.looks.set(&name, record.since(), record.until());
            match record.own_version() {
                Some(version) => drop(self.own_versions.insert(name.clone(), version.clone())),
                None => drop(self.own_versions.remove(&name)),
            }
            self.take(name, record, touched);
        }
    }

    fn take(
        &mut self,
        name: CredentialName,
        record: CredentialRecord,
        touched: &mut BTreeSet<CredentialName>,
    ) {
        let before = self.records.get(&name).cloned();
        if before.as_deref().unwrap_or(&CredentialRecord::default()) == &record {
            return;
        }
        let is_kept = !record.is_void();
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

    /// Serves a credential that an agent before this one held, until a Secret provides it: what this one would be. Whatever its
    /// dates are: it was served when they passed. One that is not good for another reason is left out.
    pub fn remember(
        &mut self,
        name: &CredentialName,
        (secret, of_base): (&SecretObject, bool),
        touched: &mut BTreeSet<CredentialName>,
    ) {
        let material = credential::material(secret, &self.policy);
        let part = material.key_pair.or(material.trust_bundle);
        if let Some(good) = part.and_then(Part::undated) {
            let allowed = secret
                .meta
                .annotations
                .contains_key(annotation::ALLOWED_NAMESPACES);
            let allowed = allowed.then(|| annotation::allowed_namespaces(&secret.meta).into());
            self.record(name.clone(), |record| {
                record.allow(allowed);
                record.remember(good, of_base);
            });
            self.settle(touched);
        }
    }

    /// Of a bundle, the version that its own Secret provided last: that another one is trusted in its place is said, also where
    /// the Secret was deleted while no agent looked.
    #[must_use]
    pub fn own_version(&self, name: &CredentialName) -> Option<&String> {
        self.own_versions.get(name)
    }

    /// An agent before this one knew these versions of bundles' own Secrets.
    pub fn remember_versions(&mut self, versions: BTreeMap<CredentialName, String>) {
        self.own_versions.extend(versions);
    }

    /// Forgets of a bundle that no Secret speaks of, and that nobody names, what an agent before this one knew of it.
    pub fn forget_version(&mut self, name: &CredentialName, is_wanted: bool) {
        if !is_wanted && !self.records.contains_key(name) {
            self.own_versions.remove(name);
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
            self.record(name.clone(), CredentialRecord::forget_good);
        }
        self.settle(&mut BTreeSet::new());
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
