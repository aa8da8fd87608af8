//! Which keys of a Secret mean what.

use std::sync::Arc;

use sealgate_model::{BUNDLE_SUFFIX, Code, Kind, ObjectRef, SecretObject};

use super::{
    Credential, CredentialError, CredentialOutcome, CredentialPolicy, SecretReading, Warnings, bundle, pair,
};

/// Holds tokens or whole charts; never served, whatever its keys are called.
const NEVER_SERVED: [&str; 2] = ["kubernetes.io/service-account-token", "helm.sh/release.v1"];

struct Shape {
    certificate: &'static str,
    key: &'static str,
    authority: &'static str,
    crl: &'static str,
    staple: Option<&'static str>,
}

/// Tried first, as Istio does.
const GENERIC: Shape = Shape {
    certificate: "cert",
    key: "key",
    authority: "cacert",
    crl: "crl",
    staple: None,
};
const TLS: Shape = Shape {
    certificate: "tls.crt",
    key: "tls.key",
    authority: "ca.crt",
    crl: "ca.crl",
    staple: Some("tls.ocsp-staple"),
};

pub(super) fn read(secret: &SecretObject, policy: &CredentialPolicy) -> SecretReading {
    let mut reading = SecretReading::default();
    let ignored = |reason| SecretReading {
        key_pair: Some(CredentialOutcome::Ignored(reason)),
        ..SecretReading::default()
    };
    if NEVER_SERVED.contains(&secret.type_.as_str()) {
        return ignored(Code::NeverServedType);
    }
    if let Some(reason) = strict_name(secret).filter(|_| policy.strict_names) {
        let refused = CredentialOutcome::Refused(CredentialError::StrictName(reason));
        return SecretReading {
            key_pair: Some(refused),
            ..SecretReading::default()
        };
    }
    let mut warnings = Warnings {
        object: ObjectRef::new(
            Kind::Secret,
            Arc::clone(&secret.meta.namespace),
            Arc::clone(&secret.meta.name),
        ),
        findings: &mut reading.findings,
    };
    let has = |key: &str| secret.data.contains_key(key);
    let bundle_only = secret.meta.name.ends_with(BUNDLE_SUFFIX);
    let pair_shape = [&GENERIC, &TLS]
        .into_iter()
        .find(|shape| has(shape.certificate) || has(shape.key));
    if let Some(shape) = pair_shape.filter(|_| !bundle_only) {
        reading.key_pair = Some(key_pair(secret, shape, policy, &mut warnings));
    }
    if let Some(shape) = [&GENERIC, &TLS].into_iter().find(|shape| has(shape.authority)) {
        reading.trust_bundle = Some(trust_bundle(secret, shape, policy, &mut warnings));
    }
    if reading.key_pair.is_none() && reading.trust_bundle.is_none() {
        return ignored(Code::NoCertificateKeys);
    }
    reading
}

fn strict_name(secret: &SecretObject) -> Option<&'static str> {
    let name = &*secret.meta.name;
    if name.starts_with("istio") || name.starts_with("prometheus") {
        Some("the name starts with istio or prometheus")
    } else if secret.data.contains_key("token") {
        Some("there is a key `token`")
    } else {
        None
    }
}

fn value<'a>(secret: &'a SecretObject, key: &str) -> Option<&'a [u8]> {
    secret.data.get(key).map(|value| value.as_slice())
}

fn key_pair(
    secret: &SecretObject,
    shape: &Shape,
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> CredentialOutcome {
    let (certificate, key) = match (value(secret, shape.certificate), value(secret, shape.key)) {
        // cert-manager creates a Secret before it has anything to put in.
        (Some([]), _) | (_, Some([])) => return CredentialOutcome::Pending(Code::EmptyValues),
        (Some(_), None) => return CredentialOutcome::Refused(CredentialError::NoKey),
        (None, _) => return CredentialOutcome::Refused(CredentialError::NoCertificate),
        (Some(certificate), Some(key)) => (certificate, key),
    };
    let parts = pair::Parts {
        certificate: (shape.certificate, certificate),
        key,
        staple: shape.staple.and_then(|name| Some((name, value(secret, name)?))),
    };
    match pair::read(&parts, policy, warnings) {
        Ok(pair) => CredentialOutcome::Ready(Arc::new(Credential::KeyPair(pair))),
        Err(error) => CredentialOutcome::Refused(error),
    }
}

fn trust_bundle(
    secret: &SecretObject,
    shape: &Shape,
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> CredentialOutcome {
    let Some(authority) = value(secret, shape.authority).filter(|value| !value.is_empty()) else {
        return CredentialOutcome::Pending(Code::EmptyValues);
    };
    let crl = value(secret, shape.crl)
        .filter(|value| !value.is_empty())
        .map(|value| (shape.crl, value));
    match bundle::read((shape.authority, authority), crl, policy, warnings) {
        Ok(bundle) => CredentialOutcome::Ready(Arc::new(Credential::TrustBundle(bundle))),
        Err(error) => CredentialOutcome::Refused(error),
    }
}

/// The key of the Secret that an error is about.
pub(crate) fn field(secret: &SecretObject, error: &CredentialError, bundle: bool) -> Option<String> {
    let has = |key: &str| secret.data.contains_key(key);
    let shape = if has(GENERIC.certificate) || has(GENERIC.key) || has(GENERIC.authority) {
        &GENERIC
    } else {
        &TLS
    };
    let key = match error {
        CredentialError::StrictName(_) => return None,
        CredentialError::BadCrl(_) => shape.crl,
        _ if bundle => shape.authority,
        _ if error.is_about_key() => shape.key,
        _ => shape.certificate,
    };
    Some(format!("data[{key}]"))
}
