//! What the resolver knows about the outside.

use serde::{Deserialize, Serialize};

use crate::cipher::KeyKind;
use crate::{CredentialName, ObjectRef};

/// What is known about objects that the resolver does not have.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Whether a credential has a valid version.
    pub is_served: &'a dyn Fn(&CredentialName) -> bool,
    /// Whether Gateways of a namespace may name a credential, as far as is known.
    pub may_name: &'a dyn Fn(&str, &CredentialName) -> bool,
    /// Whether such an object exists, even if it is refused.
    pub is_known: &'a dyn Fn(&ObjectRef) -> bool,
    /// What must be known about a credential's served certificate.
    pub certificate: &'a dyn Fn(&CredentialName) -> Option<ServedCertificate>,
    /// A credential of the same name in another namespace.
    pub namesake: &'a dyn Fn(&CredentialName) -> Option<CredentialName>,
}

/// The properties of a certificate that handshakes depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedCertificate {
    /// Its key.
    pub key: KeyKind,
    /// Whether Envoy can show it to clients that speak QUIC.
    pub quic: bool,
    /// The names that it is for, sorted.
    pub names: Vec<String>,
}
