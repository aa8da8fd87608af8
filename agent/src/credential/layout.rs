//! Which keys of a Secret mean what.

use super::CredentialError;

/// The names of the keys that hold what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) certificate: &'static str,
    pub(super) key: &'static str,
    pub(super) authority: &'static str,
    /// Of revocation lists.
    pub(super) crl: &'static str,
    pub(super) staple: Option<&'static str>,
}

/// Tried first, as Istio does.
pub(super) const GENERIC: Shape = Shape {
    certificate: "cert",
    key: "key",
    authority: "cacert",
    crl: "crl",
    staple: None,
};
pub(super) const TLS: Shape = Shape {
    certificate: "tls.crt",
    key: "tls.key",
    authority: "ca.crt",
    crl: "ca.crl",
    staple: Some("tls.ocsp-staple"),
};

impl Shape {
    /// The key of the Secret that an error is about.
    pub(super) fn field(&self, error: &CredentialError, bundle: bool) -> Option<String> {
        Some(data(match error {
            CredentialError::StrictName(_) => return None,
            CredentialError::BadCrl(_) => self.crl,
            _ if bundle => self.authority,
            CredentialError::MustStaple(_) => self.staple.unwrap_or(self.certificate),
            _ if error.is_about_key() => self.key,
            _ => self.certificate,
        }))
    }
}

pub(super) fn data(key: &str) -> String {
    format!("data[{key}]")
}
