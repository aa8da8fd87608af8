//! Secrets as credentials: parsed, checked as strictly as Envoy's TLS library would, and written anew in canonical
//! form, so that what is served can neither be refused by a proxy nor break its handshakes.

mod bundle;
mod certificate;
mod dates;
mod der;
mod error;
mod key;
mod layout;
mod lifetime;
mod ocsp;
mod pair;
mod pem;
mod shape;
mod strict;

use std::fmt;
use std::sync::Arc;

use sealgate_model::{Code, Finding, Kind, ObjectRef, SecretObject};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use zeroize::Zeroizing;

pub use certificate::CertificateFacts;
pub(crate) use dates::DateVerdict;
pub use error::CredentialError;
use lifetime::Lifetime;
pub(crate) use shape::{Material, Part};

/// What can be served. There is no certificate without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A certificate chain with its key.
    KeyPair(KeyPair),
    /// Certificates that clients are checked against.
    TrustBundle(TrustBundle),
}

/// A certificate chain with its key. `Debug` shows neither, and the key is zeroized on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    chain: String,
    key: Zeroizing<String>,
    staple: Option<Staple>,
    /// Whether clients refuse the certificate without a staple.
    must_staple: bool,
    facts: CertificateFacts,
}

/// An OCSP response.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Staple {
    der: Vec<u8>,
    validity: Lifetime,
}

impl KeyPair {
    /// Leaf first.
    #[must_use]
    pub fn chain_pem(&self) -> &[u8] {
        self.chain.as_bytes()
    }

    /// PKCS#8, PKCS#1 or SEC1.
    #[must_use]
    pub fn key_pem(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// A valid OCSP response for the leaf.
    #[must_use]
    pub fn ocsp_staple(&self) -> Option<&[u8]> {
        self.staple.as_ref().map(|staple| staple.der.as_slice())
    }

    /// Of the leaf.
    #[must_use]
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Certificates that clients are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustBundle {
    pem: String,
    crl: Option<String>,
    /// Of each list.
    lists: Vec<Lifetime>,
    facts: Vec<CertificateFacts>,
}

impl TrustBundle {
    /// All of them.
    #[must_use]
    pub fn pem(&self) -> &[u8] {
        self.pem.as_bytes()
    }

    /// Revocation lists.
    #[must_use]
    pub fn crl_pem(&self) -> Option<&[u8]> {
        self.crl.as_deref().map(str::as_bytes)
    }

    /// Of each certificate.
    #[must_use]
    pub fn facts(&self) -> &[CertificateFacts] {
        &self.facts
    }
}

impl Credential {
    /// Its certificate, or each of its CAs.
    #[must_use]
    pub fn facts(&self) -> &[CertificateFacts] {
        match self {
            Self::KeyPair(pair) => std::slice::from_ref(pair.facts()),
            Self::TrustBundle(bundle) => bundle.facts(),
        }
    }

    /// What a Secret would hold of it, as text. A staple is left out: it is short-lived.
    #[must_use]
    pub fn data(&self) -> Vec<(&'static str, Zeroizing<String>)> {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        match self {
            Self::KeyPair(pair) => vec![("tls.crt", text(&pair.chain)), ("tls.key", pair.key.clone())],
            Self::TrustBundle(bundle) => {
                let lists = bundle.crl.as_deref().map(|lists| ("ca.crl", text(lists)));
                [("ca.crt", text(&bundle.pem))].into_iter().chain(lists).collect()
            }
        }
    }

    /// A hash of the content: equal across restarts and replicas.
    #[must_use]
    pub fn version(&self) -> String {
        let parts: [&[u8]; 4] = match self {
            Self::KeyPair(pair) => [
                b"pair",
                pair.chain_pem(),
                pair.key_pem(),
                pair.ocsp_staple().unwrap_or_default(),
            ],
            Self::TrustBundle(bundle) => [b"bundle", bundle.pem(), bundle.crl_pem().unwrap_or_default(), b""],
        };
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex(hash.finalize().get(..16).unwrap_or_default())
    }
}

/// What a Secret holds, of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum CredentialOutcome {
    /// It can be served.
    Ready(Arc<Credential>),
    /// It is not there yet: why.
    Pending(Code),
    /// It is bad.
    Refused(CredentialError),
    /// It is never served: why.
    Ignored(Code),
}

/// What one Secret holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecretReading {
    /// Of `NAME`.
    pub key_pair: Option<CredentialOutcome>,
    /// Of `NAME-cacert`.
    pub trust_bundle: Option<CredentialOutcome>,
    /// What is doubtful about what is served.
    pub findings: Vec<Finding>,
}

/// What else is refused, and the time.
#[derive(Clone, Copy, Debug)]
pub struct CredentialPolicy {
    /// `--strict-names`.
    pub strict_names: bool,
    /// `--refuse-expired`.
    pub refuse_expired: bool,
    /// Against which dates are read.
    pub now: OffsetDateTime,
}

/// Reads a Secret, as it is to be judged at this time.
#[must_use]
pub fn read(secret: &SecretObject, policy: &CredentialPolicy) -> SecretReading {
    let object = object(secret);
    let Material {
        key_pair,
        trust_bundle,
        mut findings,
    } = material(secret, policy);
    let mut judge = |part: Option<Part>| {
        let judgement = part?.judge(&object, policy);
        findings.extend(judgement.findings);
        Some(judgement.outcome)
    };
    SecretReading {
        key_pair: judge(key_pair),
        trust_bundle: judge(trust_bundle),
        findings,
    }
}

/// The certificates of a bundle; as a whole, or not at all.
///
/// # Errors
/// Something in it is no certificate, or one that Envoy rejects.
pub(crate) fn authorities(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CredentialError> {
    let certificates = pair::certificates(bytes)?;
    for (place, der) in certificates.iter().enumerate() {
        certificate::parse(der, place)?;
    }
    Ok(certificates)
}

/// Whether Envoy takes a certificate as one of an authority.
pub(crate) fn is_authority(der: &[u8]) -> bool {
    certificate::parse(der, 0).is_ok()
}

/// Certificates as PEM.
pub(crate) fn certificates_pem(all: &[&[u8]]) -> String {
    let mut text = String::new();
    all.iter()
        .for_each(|der| pem::encode("CERTIFICATE", der, &mut text));
    text
}

/// Reads a Secret, whatever the time.
pub(crate) fn material(secret: &SecretObject, policy: &CredentialPolicy) -> Material {
    shape::read(secret, policy.strict_names)
}

/// The Secret, as findings name it.
pub(crate) fn object(secret: &SecretObject) -> ObjectRef {
    ObjectRef::new(
        Kind::Secret,
        Arc::clone(&secret.meta.namespace),
        Arc::clone(&secret.meta.name),
    )
}

/// Collects warnings about one Secret.
pub(crate) struct Warnings<'a> {
    object: ObjectRef,
    findings: &'a mut Vec<Finding>,
}

impl Warnings<'_> {
    fn add(&mut self, code: Code, field: &str, message: impl Into<String>) {
        self.findings.push(Finding {
            severity: sealgate_model::Severity::Warning,
            code,
            object: self.object.clone(),
            field: Some(format!("data[{field}]")),
            message: message.into(),
        });
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests;
