//! Why a Secret is refused.

use sealgate_model::Code;
use thiserror::Error;

/// Why a Secret is refused. No variant holds a byte of its values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// `--strict-names`.
    #[error("strict names: {0}")]
    StrictName(&'static str),
    /// A certificate without a key.
    #[error("there is a certificate but no key")]
    NoKey,
    /// A key without a certificate.
    #[error("there is a key but no certificate")]
    NoCertificate,
    /// The value is not PEM, or a block of it is broken.
    #[error("not valid PEM: {0}")]
    BadPem(String),
    /// Larger than any client takes.
    #[error("{0} bytes: the limit is {1}")]
    TooLarge(usize, usize),
    /// A key that asks for a password.
    #[error("the key is encrypted: store it without a password")]
    EncryptedKey,
    /// More than one key, and it cannot be said which is meant.
    #[error("{0} keys: exactly one must match the certificate")]
    SeveralKeys(usize),
    /// The key cannot be read.
    #[error("the key cannot be parsed: {0}")]
    BadKey(String),
    /// The key's algorithm, size or curve.
    #[error("Envoy does not support {0}: use RSA with at least 2048 bits, P-256, P-384, P-521 or Ed25519")]
    UnsupportedKey(String),
    /// The key is another certificate's.
    #[error("the key does not match the certificate")]
    KeyMismatch,
    /// A certificate cannot be read.
    #[error("certificate {0}: {1}")]
    BadCertificate(usize, String),
    /// No name that a client could check.
    #[error("the certificate has neither a DNS, IP or URI name nor a common name")]
    NoName,
    /// A common name that Envoy refuses.
    #[error("the common name {0}")]
    BadCommonName(&'static str),
    /// `--refuse-expired`, or a bundle without any valid certificate.
    #[error("expired on {0}")]
    Expired(String),
    /// `--refuse-expired`.
    #[error("not valid before {0}")]
    NotYetValid(String),
    /// Handshakes would fail.
    #[error("the certificate requires an OCSP staple, and {0}")]
    MustStaple(&'static str),
    /// A revocation list that would lock every client out.
    #[error("revocation list: {0}")]
    BadCrl(String),
}

impl CredentialError {
    /// As findings say it.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::StrictName(_) => Code::StrictName,
            Self::NoKey => Code::NoKey,
            Self::NoCertificate => Code::NoCertificate,
            Self::BadPem(_) => Code::BadPem,
            Self::TooLarge(..) => Code::TooLarge,
            Self::EncryptedKey => Code::EncryptedKey,
            Self::SeveralKeys(_) => Code::SeveralKeys,
            Self::BadKey(_) => Code::BadKey,
            Self::UnsupportedKey(_) => Code::UnsupportedKey,
            Self::KeyMismatch => Code::KeyMismatch,
            Self::BadCertificate(..) => Code::BadCertificate,
            Self::NoName => Code::NoName,
            Self::BadCommonName(_) => Code::BadCommonName,
            Self::Expired(_) => Code::Expired,
            Self::NotYetValid(_) => Code::NotYetValid,
            Self::MustStaple(_) => Code::MustStaple,
            Self::BadCrl(_) => Code::BadCrl,
        }
    }

    /// Whether it is the key, and not the certificate or bundle, that is wrong.
    #[must_use]
    pub fn is_about_key(&self) -> bool {
        matches!(
            self,
            Self::NoKey | Self::EncryptedKey | Self::SeveralKeys(_) | Self::BadKey(_) | Self::KeyMismatch
        )
    }
}
