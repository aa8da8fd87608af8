//! What a preview knows of Secrets: whether there is a good one, and who may name it. It reads no certificate; an agent says of
//! its own what handshakes depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::annotation;
use crate::resolve::ServedCertificate;
use crate::{CredentialName, SecretObject};

/// What is known about one credential; by default, it does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownSecret {
    /// Whether there is a valid version.
    pub is_served: bool,
    /// The namespaces whose Gateways may name it, from its Secret; none until that has been read.
    pub allowed: Option<Arc<[Arc<str>]>>,
    /// What handshakes depend on of its certificate; none of a bundle, and if nobody has read it.
    pub certificate: Option<Arc<ServedCertificate>>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct KnownSecrets {
    known: BTreeMap<CredentialName, KnownSecret>,
    /// Whether unknown credentials are assumed to exist.
    is_assumed: bool,
}

impl KnownSecrets {
    /// All are assumed to exist, unless known otherwise.
    #[must_use]
    pub fn assumed() -> Self {
        Self {
            is_assumed: true,
            ..Self::default()
        }
    }

    /// As an agent knows them.
    #[must_use]
    pub fn of_agent(known: BTreeMap<CredentialName, KnownSecret>) -> Self {
        Self {
            known,
            is_assumed: false,
        }
    }

    /// Reads which keys a Secret has, but not their values. Returns its credentials.
    pub(super) fn read(&mut self, secret: &SecretObject) -> Vec<CredentialName> {
        let own = CredentialName::new(Arc::clone(&secret.meta.namespace), Arc::clone(&secret.meta.name));
        let has = |key: &str| secret.data.get(key).is_some_and(|value| !value.is_empty());
        let has_pair = (has("tls.crt") && has("tls.key")) || (has("cert") && has("key"));
        let has_bundle = has("ca.crt") || has("cacert");
        let allowed: Arc<[Arc<str>]> = annotation::allowed_namespaces(&secret.meta).into();
        let known = |is_served| KnownSecret {
            is_served,
            allowed: Some(Arc::clone(&allowed)),
            certificate: None,
        };
        let mut said = Vec::new();
        if own.is_bundle() {
            said.push((own, known(has_bundle)));
        } else {
            if has_bundle {
                said.push((own.bundle(), known(true)));
            }
            said.push((own, known(has_pair)));
        }
        let names = said.iter().map(|(name, _)| name.clone()).collect();
        self.known.extend(said);
        names
    }

    pub(super) fn is_served(&self, name: &CredentialName) -> bool {
        self.known.get(name).map_or(self.is_assumed, |own| own.is_served)
    }

    pub(super) fn allowed(&self, name: &CredentialName) -> Option<&[Arc<str>]> {
        self.known.get(name)?.allowed.as_deref()
    }

    pub(super) fn certificate(&self, name: &CredentialName) -> Option<ServedCertificate> {
        self.known.get(name)?.certificate.as_deref().cloned()
    }

    /// A valid credential of the same name in another namespace.
    pub(super) fn namesake(&self, name: &CredentialName) -> Option<CredentialName> {
        let mut known = self.known.iter();
        let other = known.find(|(other, own)| {
            other.name == name.name && other.namespace != name.namespace && own.is_served
        });
        other.map(|(other, _)| other.clone())
    }

    /// The credentials that differ from `other`.
    pub(super) fn differing(&self, other: &Self) -> BTreeSet<CredentialName> {
        let names = self.known.keys().chain(other.known.keys());
        let differ = names.filter(|name| self.known.get(*name) != other.known.get(*name));
        differ.cloned().collect()
    }
}
