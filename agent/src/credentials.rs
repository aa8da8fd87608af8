//! Credentials as they stand: of each the last good version, and beside it what its Secrets say now.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::OrdMap;
use sealgate_model::Code;
use sealgate_model::annotation;
use sealgate_model::resolve::ServedCertificate;
use sealgate_model::{BUNDLE_SUFFIX, CredentialName};
use sealgate_model::{Finding, Severity};
use sealgate_model::{Kind, ObjectRef, SecretObject};
use time::OffsetDateTime;

use crate::credential::{self, Credential, CredentialOutcome, CredentialPolicy};

/// One credential as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CredentialRecord {
    /// What is served: the last good version.
    pub good: Option<Arc<Credential>>,
    /// What its own Secret says.
    own: Option<CredentialOutcome>,
    /// Of a bundle: what the Secret without the suffix says.
    base: Option<CredentialOutcome>,
    /// The key of the Secret that a refusal is about.
    field: Option<String>,
    /// The namespaces whose Gateways may name it, as its Secret said last; none before that was read.
    allowed: Option<Arc<[Arc<str>]>>,
}

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
}

/// What a Secret says of a credential, and the key that a refusal is about.
#[derive(Debug, Default)]
struct SecretWord {
    outcome: Option<CredentialOutcome>,
    field: Option<String>,
}

/// A Secret as far as credentials are made of it; nothing once it is gone.
#[derive(Debug, Default)]
struct SecretWords {
    pair: SecretWord,
    bundle: SecretWord,
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
        self.records.get(name)?.allowed.as_deref()
    }

    /// The credentials that other namespaces may name since the last time.
    pub fn take_reallowed(&mut self) -> BTreeSet<CredentialName> {
        std::mem::take(&mut self.reallowed)
    }

    /// The Secrets that were read.
    pub fn secrets(&self) -> impl Iterator<Item = ObjectRef> {
        let read = self.records.iter().filter(|(_, record)| record.own.is_some());
        read.map(|(name, _)| {
            ObjectRef::new(Kind::Secret, Arc::clone(&name.namespace), Arc::clone(&name.name))
        })
    }

    /// Reads a Secret; notes the credentials that it changes, and gives what is to be said of it.
    pub fn set(&mut self, secret: &SecretObject, touched: &mut BTreeSet<CredentialName>) -> Vec<Finding> {
        let policy = CredentialPolicy {
            now: OffsetDateTime::now_utc(),
            ..self.policy
        };
        let reading = credential::read(secret, &policy);
        let word = |outcome: Option<CredentialOutcome>, bundle| SecretWord {
            field: match &outcome {
                Some(CredentialOutcome::Refused(error)) => credential::field(secret, error, bundle),
                _ => None,
            },
            outcome,
        };
        let name = ObjectRef::new(
            Kind::Secret,
            Arc::clone(&secret.meta.namespace),
            Arc::clone(&secret.meta.name),
        );
        let words = SecretWords {
            pair: word(reading.key_pair, false),
            bundle: word(reading.trust_bundle, true),
            allowed: Some(annotation::allowed_namespaces(&secret.meta).into()),
        };
        self.speak(&name, words, touched);
        reading.findings
    }

    /// A Secret is gone; the good versions of what it spoke for stay.
    pub fn delete(&mut self, secret: &ObjectRef, touched: &mut BTreeSet<CredentialName>) {
        self.speak(secret, SecretWords::default(), touched);
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
                record.own = bundle.outcome.or(pair.outcome);
                record.field = bundle.field.or(pair.field);
                record.allow(allowed);
            });
        } else {
            let bundle_name = name.bundle();
            self.record(name, touched, |record| {
                (record.own, record.field) = (pair.outcome, pair.field);
                record.allow(allowed.clone());
            });
            self.record(bundle_name, touched, |record| {
                record.base = bundle.outcome;
                record.field = bundle.field.or(record.field.take());
                if record.own.is_none() {
                    record.allow(allowed);
                }
            });
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
        if let Some(CredentialOutcome::Ready(credential)) = record.outcome() {
            record.good = Some(Arc::clone(credential));
        }
        if before.as_deref().unwrap_or(&CredentialRecord::default()) == &record {
            return;
        }
        if before.and_then(|before| before.allowed.clone()) != record.allowed {
            self.reallowed.insert(name.clone());
        }
        if record.outcome().is_none() && record.good.is_some() {
            self.unclaimed.insert(name.clone());
        } else {
            self.unclaimed.remove(&name);
        }
        if record.outcome().is_none() && record.good.is_none() {
            self.records.remove(&name);
        } else {
            self.records.insert(name.clone(), Arc::new(record));
        }
        touched.insert(name);
    }

    /// Lets go of what is held for nobody: without a Secret, and no Gateway names it.
    pub fn forget(&mut self, is_wanted: impl Fn(&CredentialName) -> bool) -> Vec<CredentialName> {
        let dead: Vec<_> = self
            .unclaimed
            .iter()
            .filter(|name| !is_wanted(name))
            .cloned()
            .collect();
        for name in &dead {
            self.unclaimed.remove(name);
            self.records.remove(name);
        }
        dead
    }

    /// What is to be said of a credential that its Secrets do not, or do no longer, provide.
    #[must_use]
    pub fn refusal(&self, name: &CredentialName) -> Option<Finding> {
        let record = self.records.get(name)?;
        let served = if record.good.is_some() {
            "; the last good version is served on"
        } else {
            ""
        };
        let (code, message) = match record.outcome() {
            Some(CredentialOutcome::Refused(error)) => (error.code(), format!("{error}{served}")),
            None if record.good.is_some() => (Code::Deleted, format!("the Secret is gone{served}")),
            _ => return None,
        };
        Some(Finding {
            severity: Severity::Error,
            code,
            object: record.secret(name),
            field: record.field.clone(),
            message,
        })
    }
}

impl CredentialRecord {
    /// A Secret that is gone takes nothing back: its last good version is served on.
    fn allow(&mut self, namespaces: Option<Arc<[Arc<str>]>>) {
        self.allowed = namespaces.or(self.allowed.take());
    }

    /// What the Secrets say now; none if there is no such Secret any more.
    #[must_use]
    pub fn outcome(&self) -> Option<&CredentialOutcome> {
        let ready = [&self.own, &self.base]
            .into_iter()
            .flatten()
            .find(|outcome| matches!(outcome, CredentialOutcome::Ready(_)));
        ready.or(self.own.as_ref()).or(self.base.as_ref())
    }

    /// The Secret that speaks for a credential.
    fn secret(&self, name: &CredentialName) -> ObjectRef {
        let secret = match (&self.own, name.name.strip_suffix(BUNDLE_SUFFIX)) {
            (None, Some(base)) => base,
            _ => &name.name,
        };
        ObjectRef::new(Kind::Secret, Arc::clone(&name.namespace), secret)
    }
}
