//! What the resolution is told of what is not part of it.

use serde::{Deserialize, Serialize};

use crate::cipher::KeyKind;
use crate::{CredentialName, ObjectRef};

/// What is known from outside of objects that are not part of the resolution.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Whether there is a good version of a credential.
    pub is_served: &'a dyn Fn(&CredentialName) -> bool,
    /// Whether Gateways of a namespace may name a credential, as far as is known.
    pub may_name: &'a dyn Fn(&str, &CredentialName) -> bool,
    /// Whether there is such an object, be it that it is refused.
    pub is_known: &'a dyn Fn(&ObjectRef) -> bool,
    /// What is to be known of the certificate that is served of a credential.
    pub certificate: &'a dyn Fn(&CredentialName) -> Option<ServedCertificate>,
    /// A credential of the same name in another namespace.
    pub namesake: &'a dyn Fn(&CredentialName) -> Option<CredentialName>,
}

/// What handshakes depend on of a certificate.
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
