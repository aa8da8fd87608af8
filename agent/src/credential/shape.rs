//! What a Secret holds.

use std::sync::Arc;

use sealgate_model::{BUNDLE_SUFFIX, Code, Finding, ObjectRef, SecretObject};

use super::dates::{self, DateVerdict};
use super::layout::{GENERIC, Shape, TLS, data};
use super::{
    Credential, CredentialError, CredentialOutcome, CredentialPolicy, Warnings, bundle, object, pair,
};

/// Holds tokens or whole charts; never served, whatever its keys are called.
const NEVER_SERVED: [&str; 2] = ["kubernetes.io/service-account-token", "helm.sh/release.v1"];

/// cert-manager keeps the key of a certificate that it has asked for in a Secret of this label, until it has it.
const NEXT_KEY: &str = "cert-manager.io/next-private-key";

/// What a Secret holds, whatever the time.
#[derive(Debug, Default)]
pub(crate) struct Material {
    /// Of `NAME`.
    pub(crate) key_pair: Option<Part>,
    /// Of `NAME-cacert`.
    pub(crate) trust_bundle: Option<Part>,
    /// What is doubtful at any time.
    pub(crate) findings: Vec<Finding>,
}

/// What a Secret holds of one kind, whatever the time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    content: Content,
    shape: Shape,
    bundle: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    /// It can be served while its dates are good.
    Dated(Arc<Credential>),
    /// No date changes it.
    Settled(CredentialOutcome),
}

impl Part {
    /// What is to be made of it now.
    pub(crate) fn judge(&self, object: &ObjectRef, policy: &CredentialPolicy) -> DateVerdict {
        let outcome = match &self.content {
            Content::Dated(credential) => return dates::judge(credential, &self.shape, object, policy),
            Content::Settled(outcome) => outcome.clone(),
        };
        let field = match &outcome {
            CredentialOutcome::Refused(error) => self.shape.field(error, self.bundle),
            _ => None,
        };
        DateVerdict {
            outcome,
            field,
            findings: Vec::new(),
            until: None,
            since: None,
        }
    }

    /// What can be served, if its dates are left aside.
    pub(crate) fn undated(self) -> Option<Arc<Credential>> {
        match self.content {
            Content::Dated(credential) => Some(credential),
            Content::Settled(CredentialOutcome::Ready(credential)) => Some(credential),
            Content::Settled(_) => None,
        }
    }

    /// The key of the Secret that holds what is served.
    pub(crate) fn field(&self) -> String {
        data(if self.bundle {
            self.shape.authority
        } else {
            self.shape.certificate
        })
    }
}

pub(super) fn read(secret: &SecretObject, strict_names: bool) -> Material {
    let settled = |outcome| Material {
        key_pair: Some(Part {
            content: Content::Settled(outcome),
            shape: TLS,
            bundle: false,
        }),
        ..Material::default()
    };
    if NEVER_SERVED.contains(&secret.type_.as_str()) {
        return settled(CredentialOutcome::Ignored(Code::NeverServedType));
    }
    if let Some(reason) = strict_name(secret).filter(|_| strict_names) {
        return settled(CredentialOutcome::Refused(CredentialError::StrictName(reason)));
    }
    let mut material = Material::default();
    let mut warnings = Warnings {
        object: object(secret),
        findings: &mut material.findings,
    };
    let bundle_only = secret.meta.name.ends_with(BUNDLE_SUFFIX);
    if let Some(shape) = pair_shape(secret).filter(|_| !bundle_only) {
        material.key_pair = Some(Part {
            content: key_pair(secret, shape, &mut warnings),
            shape,
            bundle: false,
        });
    }
    if let Some(shape) = bundle_shape(secret) {
        material.trust_bundle = Some(Part {
            content: trust_bundle(secret, &shape, &mut warnings),
            shape,
            bundle: true,
        });
    }
    if material.key_pair.is_none() && material.trust_bundle.is_none() {
        return settled(CredentialOutcome::Ignored(Code::NoCertificateKeys));
    }
    material
}

/// The shape in which there is a pair, else one in which there is half of one, else one that is there and empty. A key
/// counts by its value: some tools write all keys that they know, and leave out what they do not have.
fn pair_shape(secret: &SecretObject) -> Option<Shape> {
    let both = |shape: &Shape| [shape.certificate, shape.key].map(|key| value(secret, key).is_some());
    let shapes = || [GENERIC, TLS].into_iter();
    let is_there =
        |shape: &Shape| secret.data.contains_key(shape.certificate) || secret.data.contains_key(shape.key);
    shapes()
        .find(|shape| both(shape) == [true, true])
        .or_else(|| shapes().find(|shape| both(shape) != [false, false]))
        .or_else(|| shapes().find(is_there))
}

/// The same of certificates that clients are checked against.
fn bundle_shape(secret: &SecretObject) -> Option<Shape> {
    let shapes = || [GENERIC, TLS].into_iter();
    let shape = shapes()
        .find(|shape| value(secret, shape.authority).is_some())
        .or_else(|| shapes().find(|shape| secret.data.contains_key(shape.authority)))?;
    let crl = value(secret, shape.crl).map_or(shape.authority, |_| shape.crl);
    Some(Shape { crl, ..shape })
}

fn strict_name(secret: &SecretObject) -> Option<&'static str> {
    let name = &*secret.meta.name;
    if name.starts_with("istio") || name.starts_with("prometheus") {
        Some("the name starts with istio or prometheus")
    } else if value(secret, "token").is_some() {
        Some("there is a key `token`")
    } else {
        None
    }
}

/// The value of a key; none if it is empty.
fn value<'a>(secret: &'a SecretObject, key: &str) -> Option<&'a [u8]> {
    let value = secret.data.get(key).map(|value| value.as_slice());
    value.filter(|value| !value.is_empty())
}

fn key_pair(secret: &SecretObject, shape: Shape, warnings: &mut Warnings<'_>) -> Content {
    let is_there = |key: &str| secret.data.contains_key(key);
    let (certificate, key) = match (value(secret, shape.certificate), value(secret, shape.key)) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, Some(_)) if is_next_key(secret) => {
            return Content::Settled(CredentialOutcome::Ignored(Code::NoCertificateKeys));
        }
        (Some(_), None) if !is_there(shape.key) => {
            return Content::Settled(CredentialOutcome::Refused(CredentialError::NoKey));
        }
        (None, Some(_)) if !is_there(shape.certificate) => {
            return Content::Settled(CredentialOutcome::Refused(CredentialError::NoCertificate));
        }
        // cert-manager creates a Secret before it has anything to put in.
        _ => return Content::Settled(CredentialOutcome::Pending(Code::EmptyValues)),
    };
    let parts = pair::Parts {
        certificate: (shape.certificate, certificate),
        key,
        staple: shape.staple.and_then(|name| Some((name, value(secret, name)?))),
    };
    match pair::read(&parts, warnings) {
        Ok(pair) => Content::Dated(Arc::new(Credential::KeyPair(pair))),
        Err(error) => Content::Settled(CredentialOutcome::Refused(error)),
    }
}

fn is_next_key(secret: &SecretObject) -> bool {
    secret
        .meta
        .labels
        .get(NEXT_KEY)
        .is_some_and(|value| value == "true")
}

fn trust_bundle(secret: &SecretObject, shape: &Shape, warnings: &mut Warnings<'_>) -> Content {
    let Some(authority) = value(secret, shape.authority) else {
        return Content::Settled(CredentialOutcome::Pending(Code::EmptyValues));
    };
    let apart = (shape.crl != shape.authority).then_some(shape.crl);
    let crl = apart.and_then(|name| Some((name, value(secret, name)?)));
    match bundle::read((shape.authority, authority), crl, warnings) {
        Ok(bundle) => Content::Dated(Arc::new(Credential::TrustBundle(bundle))),
        Err(error) => Content::Settled(CredentialOutcome::Refused(error)),
    }
}
