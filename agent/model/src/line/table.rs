//! What an agent tells the page of what it serves, a line each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ClaimLine, ObjectLine};
use crate::preview::{GatewayOptions, KnownSecret};
use crate::resolve::ServedCertificate;
use crate::{CredentialName, Kind, ObjectRef};

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TableLine {
    /// The first line.
    Begin(BeginLine),
    /// Who has something; before all objects.
    Claim(ClaimLine),
    /// A credential, without its key.
    Credential(CredentialLine),
    /// An object as it is served.
    Object(ObjectLine),
    /// An object that is served for one for which there is no room: no budget counts it. After the object.
    Unpaid(NameLine),
    /// An object that is served no more.
    Gone(NameLine),
    /// The last line: without it the answer was cut short.
    End(usize),
}

/// What the lines are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BeginLine {
    /// Names this state of the objects.
    pub generation: u64,
    /// Since which state these are the changes; none if they are everything.
    pub since: Option<u64>,
    /// The agent's.
    pub options: GatewayOptions,
}

/// See [`TableLine`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialLine {
    /// The Secret's namespace.
    pub namespace: String,
    /// The Secret's name, of a bundle with its suffix.
    pub name: String,
    /// Whether there is a good version.
    pub served: bool,
    /// The namespaces whose Gateways may name it; none before that was read.
    pub allowed: Option<Vec<String>>,
    /// What handshakes depend on of its certificate; none of a bundle, and if there is no good version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ServedCertificate>,
}

impl CredentialLine {
    /// A credential.
    #[must_use]
    pub fn new(name: &CredentialName, known: &KnownSecret) -> Self {
        let allowed = known.allowed.as_deref();
        Self {
            namespace: name.namespace.to_string(),
            name: name.name.to_string(),
            served: known.is_served,
            allowed: allowed.map(|names| names.iter().map(ToString::to_string).collect()),
            certificate: known.certificate.as_deref().cloned(),
        }
    }

    /// The same as the preview knows it.
    #[must_use]
    pub fn known(self) -> (CredentialName, KnownSecret) {
        let allowed = self
            .allowed
            .map(|names| names.into_iter().map(Arc::from).collect());
        let known = KnownSecret {
            is_served: self.served,
            allowed,
            certificate: self.certificate.map(Arc::new),
        };
        (CredentialName::new(self.namespace, self.name), known)
    }
}

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NameLine {
    /// As manifests spell it.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl NameLine {
    /// The object; none if there is no such kind.
    #[must_use]
    pub fn object_ref(&self) -> Option<ObjectRef> {
        let kind = Kind::named(&self.kind)?;
        Some(ObjectRef::new(kind, self.namespace.as_str(), self.name.as_str()))
    }
}

impl From<&ObjectRef> for NameLine {
    fn from(name: &ObjectRef) -> Self {
        Self {
            kind: name.kind.as_str().to_owned(),
            namespace: name.namespace.to_string(),
            name: name.name.to_string(),
        }
    }
}
