//! One X.509 certificate: the facts that people ask for, and the checks that Envoy makes.

use sealgate_model::cipher::KeyKind;
use sealgate_model::resolve::ServedCertificate;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::asn1_rs::{Oid, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Version};

use super::{CredentialError, hex, strict};

/// How a key of this kind is called.
const ED25519: &str = "Ed25519";

/// What people ask about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// RFC 4514-like, as X.509 orders it.
    pub subject: String,
    /// The same of its issuer.
    pub issuer: String,
    /// Lower-case hex.
    pub serial: String,
    /// Of the whole certificate, lower-case hex.
    pub sha256: String,
    /// From when it is good.
    pub not_before: OffsetDateTime,
    /// Until when it is good.
    pub not_after: OffsetDateTime,
    /// DNS names; the common name if there is none.
    pub dns_names: Vec<String>,
    /// `ECDSA-P256`.
    pub key_type: String,
}

impl CertificateFacts {
    /// What handshakes depend on.
    #[must_use]
    pub fn served(&self) -> ServedCertificate {
        let mut names = self.dns_names.clone();
        names.sort();
        names.dedup();
        ServedCertificate {
            key: if self.key_type.starts_with("RSA") {
                KeyKind::Rsa
            } else {
                KeyKind::Ecdsa
            },
            quic: self.key_type != ED25519,
            names,
        }
    }
}

/// A parsed certificate.
pub(super) fn parse(der: &[u8], place: usize) -> Result<X509Certificate<'_>, CredentialError> {
    let bad = |reason: &str| CredentialError::BadCertificate(place, reason.to_owned());
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| bad("not a certificate"))?;
    if !rest.is_empty() {
        return Err(bad("its block contains more than the certificate"));
    }
    if certificate.version() != X509Version::V3 && !certificate.extensions().is_empty() {
        return Err(bad("extensions in a certificate that is not version 3"));
    }
    let is_text = |name: &AttributeTypeAndValue<'_>| {
        let value = name.attr_value();
        strict::is_text(value.tag().0, value.data)
    };
    if !certificate.subject().iter_common_name().all(is_text) {
        return Err(CredentialError::BadCommonName("is not text"));
    }
    strict::check(der).map_err(bad)?;
    Ok(certificate)
}

/// The demands on a leaf alone.
pub(super) fn check_leaf(certificate: &X509Certificate<'_>) -> Result<(), CredentialError> {
    key_type(certificate.public_key())?;
    // Envoy looks at the first alone.
    let common_name = certificate.subject().iter_common_name().next();
    match common_name.map(|name| name.attr_value()) {
        Some(name) if name.data.is_empty() => return Err(CredentialError::BadCommonName("is empty")),
        None if !has_usable_san(certificate) => return Err(CredentialError::NoName),
        _ => {}
    }
    let is_ec = matches!(certificate.public_key().parsed(), Ok(PublicKey::EC(_)));
    let usage = extension(certificate, &OID_X509_EXT_KEY_USAGE);
    if is_ec && usage.is_some_and(|usage| !strict::may_sign(usage)) {
        return Err(CredentialError::BadCertificate(
            0,
            "its key usage lacks digitalSignature".to_owned(),
        ));
    }
    Ok(())
}

/// The value of the first extension of this kind.
fn extension<'a>(certificate: &X509Certificate<'a>, kind: &Oid<'_>) -> Option<&'a [u8]> {
    let mut extensions = certificate.extensions().iter();
    extensions
        .find(|extension| extension.oid == *kind)
        .map(|extension| extension.value)
}

/// One that is not text (`Invalid`, of the same tags) is enough for Envoy too.
fn has_usable_san(certificate: &X509Certificate<'_>) -> bool {
    let usable = |name: &GeneralName<'_>| {
        matches!(
            name,
            GeneralName::DNSName(_)
                | GeneralName::URI(_)
                | GeneralName::IPAddress(_)
                | GeneralName::Invalid(Tag(2 | 6 | 7), _)
        )
    };
    let san = certificate.subject_alternative_name().ok().flatten();
    let raw = extension(certificate, &OID_X509_EXT_SUBJECT_ALT_NAME);
    san.is_some_and(|san| san.value.general_names.iter().any(usable)) && raw.is_some_and(strict::is_sequence)
}

/// `status_request` of the TLS feature extension (RFC 7633).
pub(super) fn must_staple(certificate: &X509Certificate<'_>) -> bool {
    const STATUS_REQUEST: &[u8] = &[0x30, 0x03, 0x02, 0x01, 0x05];
    let features = certificate
        .extensions()
        .iter()
        .filter(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.24");
    features
        .into_iter()
        .any(|extension| extension.value == STATUS_REQUEST)
}

/// A signature that clients no longer take.
pub(super) fn weak_signature(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.4" => Some("MD5"),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => Some("SHA-1"),
        _ => None,
    }
}

pub(super) fn facts(certificate: &X509Certificate<'_>, der: &[u8]) -> CertificateFacts {
    let serial = certificate.tbs_certificate.raw_serial();
    CertificateFacts {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: hex(serial
            .strip_prefix(&[0])
            .filter(|rest| !rest.is_empty())
            .unwrap_or(serial)),
        sha256: hex(&Sha256::digest(der)),
        not_before: certificate.validity().not_before.to_datetime(),
        not_after: certificate.validity().not_after.to_datetime(),
        dns_names: dns_names(certificate),
        key_type: key_type(certificate.public_key()).unwrap_or_else(|_| "unsupported".to_owned()),
    }
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let sans = certificate
        .extensions()
        .iter()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(san) => Some(san),
            _ => None,
        });
    let names: Vec<String> = sans
        .flat_map(|san| &san.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        certificate
            .subject()
            .iter_common_name()
            .filter_map(|name| name.as_str().ok())
            .map(str::to_owned)
            .collect()
    } else {
        names
    }
}

/// `RSA-2048`, `ECDSA-P256`, `Ed25519`; others are refused.
pub(super) fn key_type(info: &SubjectPublicKeyInfo<'_>) -> Result<String, CredentialError> {
    let unsupported = |what: &str| Err(CredentialError::UnsupportedKey(what.to_owned()));
    match info.algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.1" => match info.parsed() {
            Ok(PublicKey::RSA(key)) => match key.key_size() {
                bits @ 2048.. => Ok(format!("RSA-{bits}")),
                bits => unsupported(&format!("RSA of {bits} bits")),
            },
            _ => unsupported("a damaged RSA key"),
        },
        "1.2.840.10045.2.1" => {
            let curve = info
                .algorithm
                .parameters
                .as_ref()
                .and_then(|parameters| parameters.as_oid().ok());
            match curve.map(|curve| curve.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => Ok("ECDSA-P256".to_owned()),
                Some("1.3.132.0.34") => Ok("ECDSA-P384".to_owned()),
                Some("1.3.132.0.35") => Ok("ECDSA-P521".to_owned()),
                Some(other) => unsupported(&format!("the curve {other}")),
                None => unsupported("an EC key with explicit parameters"),
            }
        }
        "1.3.101.112" => Ok(ED25519.to_owned()),
        "1.2.840.113549.1.1.10" => unsupported("an RSA-PSS key"),
        other => unsupported(&format!("a key of algorithm {other}")),
    }
}
