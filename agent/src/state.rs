//! The objects as they stand: of each the last good version, and beside it why a newer one was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_model::validate;
use sealgate_model::{
    BUNDLE_SUFFIX, Code, CredentialName, Entry, Finding, Kind, Object, ObjectRef, SecretObject, Severity,
    SourceEvent,
};

use crate::credential::{self, Credential, Outcome, Policy};
use crate::news::{self, News};

/// What an event changed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Credentials whose state moved.
    pub credentials: BTreeSet<CredentialName>,
    /// Whether any other object moved.
    pub objects: bool,
    /// Whether a Gateway or a VirtualService is among them.
    pub routes: bool,
    /// What there is to say.
    pub news: Vec<News>,
}

/// One credential as it stands.
#[derive(Clone, Debug, Default)]
pub struct CredentialRecord {
    /// What is served: the last good version.
    pub good: Option<Arc<Credential>>,
    /// What its own Secret says.
    own: Option<Outcome>,
    /// Of a bundle: what the Secret without the suffix says.
    base: Option<Outcome>,
    /// The key of the Secret that a refusal is about.
    field: Option<String>,
}

impl CredentialRecord {
    /// What the Secrets say now; none if there is no such Secret any more.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        let ready = [&self.own, &self.base]
            .into_iter()
            .flatten()
            .find(|outcome| matches!(outcome, Outcome::Ready(_)));
        ready.or(self.own.as_ref()).or(self.base.as_ref())
    }
}

/// See the module.
#[derive(Debug)]
pub struct State {
    policy: Policy,
    objects: BTreeMap<ObjectRef, Object>,
    /// Good by themselves, and at odds with one that was there before.
    waiting: BTreeMap<ObjectRef, Object>,
    findings: BTreeMap<ObjectRef, Vec<Finding>>,
    credentials: BTreeMap<CredentialName, CredentialRecord>,
}

impl State {
    /// Nothing yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            objects: BTreeMap::new(),
            waiting: BTreeMap::new(),
            findings: BTreeMap::new(),
            credentials: BTreeMap::new(),
        }
    }

    /// All objects but Secrets.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// Whether there is such an object, be it that it is refused.
    #[must_use]
    pub fn is_known(&self, name: &ObjectRef) -> bool {
        self.objects.contains_key(name) || self.findings.contains_key(name)
    }

    /// All credentials.
    #[must_use]
    pub fn credentials(&self) -> &BTreeMap<CredentialName, CredentialRecord> {
        &self.credentials
    }

    /// Whether there is a good version of a credential.
    #[must_use]
    pub fn is_served(&self, name: &CredentialName) -> bool {
        self.credentials
            .get(name)
            .is_some_and(|record| record.good.is_some())
    }

    /// What is wrong or doubtful, object by object, that of credentials included.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let own = self.findings.values().flatten().cloned();
        own.chain(
            self.credentials
                .iter()
                .filter_map(|(name, record)| refusal(name, record)),
        )
        .collect()
    }

    /// Takes an event, and notes what it changed.
    pub fn apply(&mut self, event: SourceEvent, changes: &mut Changes) {
        match event {
            SourceEvent::Reset(mut entries) => {
                // Of two that are at odds the older stands, and else the one that the source names first.
                entries.sort_by_key(|entry| entry.object.as_ref().and_then(|object| object.meta().created));
                let listed: BTreeSet<_> = entries.iter().map(|entry| entry.object_ref.clone()).collect();
                let known: BTreeSet<_> = self.objects.keys().chain(self.findings.keys()).cloned().collect();
                let secrets = self.credentials.iter().filter(|(_, record)| record.own.is_some());
                let secrets =
                    secrets.map(|(name, _)| ObjectRef::new(Kind::Secret, &name.namespace, &name.name));
                let gone: BTreeSet<_> = known.into_iter().chain(secrets).collect();
                gone.difference(&listed)
                    .for_each(|name| self.delete(name, changes));
                entries.into_iter().for_each(|entry| self.set(entry, changes));
            }
            SourceEvent::Apply(entry) => self.set(entry, changes),
            SourceEvent::Delete(name) => self.delete(&name, changes),
        }
    }

    fn set(&mut self, entry: Entry, changes: &mut Changes) {
        let Entry {
            object_ref,
            object,
            mut findings,
        } = entry;
        match object {
            Some(Object::Secret(secret)) => {
                findings.extend(self.set_secret(&secret, changes));
            }
            Some(object) => {
                findings.extend(validate::object(&object));
                let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
                let collision = (!refused).then(|| self.collision(&object)).flatten();
                self.waiting.remove(&object_ref);
                if let Some(collision) = collision {
                    findings.push(collision);
                    self.waiting.insert(object_ref.clone(), object);
                } else if !refused && self.objects.get(&object_ref) != Some(&object) {
                    let kind = object.kind();
                    self.objects.insert(object_ref.clone(), object);
                    self.moved(kind, changes);
                }
            }
            None => {}
        }
        self.note(object_ref, findings, changes);
    }

    /// Keeps what is to be said of an object, and says what is new.
    fn note(&mut self, object_ref: ObjectRef, findings: Vec<Finding>, changes: &mut Changes) {
        let old = if findings.is_empty() {
            self.findings.remove(&object_ref)
        } else {
            self.findings.insert(object_ref.clone(), findings.clone())
        };
        changes
            .news
            .extend(news::of_object(&object_ref, &old.unwrap_or_default(), &findings));
    }

    fn delete(&mut self, name: &ObjectRef, changes: &mut Changes) {
        self.findings.remove(name);
        self.waiting.remove(name);
        if name.kind == Kind::Secret {
            self.set_outcomes(name, None, None, None, None, changes);
        } else if self.objects.remove(name).is_some() {
            self.moved(name.kind, changes);
        }
    }

    fn moved(&mut self, kind: Kind, changes: &mut Changes) {
        changes.objects = true;
        changes.routes |= matches!(kind, Kind::Gateway | Kind::VirtualService);
        if kind == Kind::Gateway {
            self.retry(changes);
        }
    }

    fn set_secret(&mut self, secret: &SecretObject, changes: &mut Changes) -> Vec<Finding> {
        let policy = Policy {
            now: time::OffsetDateTime::now_utc(),
            ..self.policy
        };
        let reading = credential::read(secret, &policy);
        let field = |outcome: &Option<Outcome>, bundle| match outcome {
            Some(Outcome::Refused(error)) => credential::field(secret, error, bundle),
            _ => None,
        };
        let name = ObjectRef::new(Kind::Secret, &secret.meta.namespace, &secret.meta.name);
        let fields = (
            field(&reading.key_pair, false),
            field(&reading.trust_bundle, true),
        );
        self.set_outcomes(
            &name,
            reading.key_pair,
            reading.trust_bundle,
            fields.0,
            fields.1,
            changes,
        );
        reading.findings
    }

    /// A Secret speaks for the key pair of its name, and for the bundle: its own if its name says so, else the one
    /// that belongs to its pair.
    fn set_outcomes(
        &mut self,
        secret: &ObjectRef,
        pair: Option<Outcome>,
        bundle: Option<Outcome>,
        pair_field: Option<String>,
        bundle_field: Option<String>,
        changes: &mut Changes,
    ) {
        let name = CredentialName::new(&secret.namespace, &secret.name);
        if secret.name.ends_with(BUNDLE_SUFFIX) {
            self.record(name, changes, |record| {
                record.own = bundle.or(pair);
                record.field = bundle_field.or(pair_field);
            });
        } else {
            let bundle_name = name.bundle();
            self.record(name, changes, |record| {
                (record.own, record.field) = (pair, pair_field)
            });
            self.record(bundle_name, changes, |record| {
                record.base = bundle;
                record.field = bundle_field.or(record.field.take());
            });
        }
    }

    fn record(
        &mut self,
        name: CredentialName,
        changes: &mut Changes,
        set: impl FnOnce(&mut CredentialRecord),
    ) {
        let record = self.credentials.entry(name.clone()).or_default();
        let before = (record.outcome().cloned(), record.good.clone());
        set(record);
        if let Some(Outcome::Ready(credential)) = record.outcome() {
            record.good = Some(Arc::clone(credential));
        }
        if before == (record.outcome().cloned(), record.good.clone()) {
            if record.outcome().is_none() && record.good.is_none() {
                self.credentials.remove(&name);
            }
            return;
        }
        if record.outcome() != before.0.as_ref() {
            let was_bad =
                matches!(before.0, Some(Outcome::Refused(_))) || before.1.is_some() && before.0.is_none();
            let good = || was_bad.then(|| News::Good(secret_of(&name, record)));
            changes
                .news
                .extend(refusal(&name, record).map(News::Found).or_else(good));
        }
        changes.credentials.insert(name);
    }

    /// Credentials that are held without a Secret.
    #[must_use]
    pub fn unclaimed(&self) -> BTreeSet<CredentialName> {
        let held = self
            .credentials
            .iter()
            .filter(|(_, record)| record.outcome().is_none());
        held.map(|(name, _)| name.clone()).collect()
    }

    /// Lets go of those of `names` that are held for nobody: without a Secret, and no Gateway names them.
    pub fn forget(
        &mut self,
        names: &BTreeSet<CredentialName>,
        referenced: &BTreeSet<CredentialName>,
    ) -> Vec<CredentialName> {
        let is_held = |name: &&CredentialName| {
            self.credentials
                .get(*name)
                .is_some_and(|record| record.outcome().is_none())
        };
        let dead: Vec<_> = names.difference(referenced).filter(is_held).cloned().collect();
        dead.iter().for_each(|name| drop(self.credentials.remove(name)));
        dead
    }

    /// Whoever has a host keeps it: a Gateway that asks for one that is another's is refused as a whole.
    fn collision(&self, object: &Object) -> Option<Finding> {
        let Object::Gateway(meta, spec) = object else {
            return None;
        };
        let name = object.object_ref();
        let others = self.objects.values().filter(|other| other.object_ref() != name);
        others
            .filter_map(|other| match other {
                Object::Gateway(other_meta, other_spec) => Some((other_meta, other_spec)),
                _ => None,
            })
            .filter(|(_, other)| validate::selectors_overlap(&spec.selector, &other.selector))
            .find_map(|(other_meta, other)| {
                let (field, host) = validate::shared_tls_host(spec, other)?;
                let message = format!(
                    "{host} is served by Gateway {}/{}, which stays",
                    other_meta.namespace, other_meta.name
                );
                Some(Finding {
                    severity: Severity::Error,
                    code: Code::HostCollision,
                    object: ObjectRef::new(Kind::Gateway, &meta.namespace, &meta.name),
                    field: Some(field),
                    message,
                })
            })
    }

    /// A Gateway moved: others may be free to come in now.
    fn retry(&mut self, changes: &mut Changes) {
        for (object_ref, object) in std::mem::take(&mut self.waiting) {
            let said = self.findings.get(&object_ref).into_iter().flatten();
            // What was said of the object by itself is said again by `set`; the rest came with reading it.
            let own = validate::object(&object);
            let kept = said.filter(|finding| finding.code != Code::HostCollision && !own.contains(finding));
            let entry = Entry {
                findings: kept.cloned().collect(),
                object: Some(object),
                object_ref,
            };
            self.set(entry, changes);
        }
    }
}

/// What is to be said of a credential that its Secrets do not, or do no longer, provide.
fn refusal(name: &CredentialName, record: &CredentialRecord) -> Option<Finding> {
    let served = if record.good.is_some() {
        "; the last good version is served on"
    } else {
        ""
    };
    let (code, message) = match record.outcome() {
        Some(Outcome::Refused(error)) => (error.code(), format!("{error}{served}")),
        None if record.good.is_some() => (Code::Deleted, format!("the Secret is gone{served}")),
        _ => return None,
    };
    Some(Finding {
        severity: Severity::Error,
        code,
        object: secret_of(name, record),
        field: record.field.clone(),
        message,
    })
}

/// The Secret that speaks for a credential.
fn secret_of(name: &CredentialName, record: &CredentialRecord) -> ObjectRef {
    let secret = match (&record.own, name.name.strip_suffix(BUNDLE_SUFFIX)) {
        (None, Some(base)) => base,
        _ => &name.name,
    };
    ObjectRef::new(Kind::Secret, &name.namespace, secret)
}
