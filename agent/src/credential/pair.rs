//! A certificate chain with its key.

use sealgate_model::Code;
use time::format_description::well_known::Rfc3339;

use super::certificate::{self, CertificateFacts};
use super::{CredentialError, CredentialPolicy, KeyPair, Warnings, key, ocsp, pem};

/// More than this no client takes in a handshake.
const LONGEST_CHAIN: usize = 64 * 1024;

/// The values of a Secret, and the names of their keys.
pub(super) struct Parts<'a> {
    pub(super) certificate: (&'a str, &'a [u8]),
    pub(super) key: &'a [u8],
    pub(super) staple: Option<(&'a str, &'a [u8])>,
}

pub(super) fn read(
    parts: &Parts<'_>,
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> Result<KeyPair, CredentialError> {
    let (field, bytes) = parts.certificate;
    let mut chain = certificates(bytes)?;
    let key = key::read(parts.key).map_err(|error| unsupported(&chain).unwrap_or(error))?;
    leaf_first(&mut chain, &key.public, field, warnings)?;
    let der = chain.first().ok_or(CredentialError::NoCertificate)?;
    let leaf = certificate::parse(der, 0)?;
    certificate::check_leaf(&leaf)?;
    let facts = certificate::facts(&leaf, der);
    check_dates(&facts, field, policy, warnings)?;
    if let Some(algorithm) = certificate::weak_signature(&leaf) {
        warnings.add(
            Code::WeakSignature,
            field,
            format!("signed with {algorithm}, which clients refuse"),
        );
    }
    let staple = ocsp::staple(&leaf, parts.staple, policy.now, warnings)?;
    let mut text = String::new();
    chain
        .iter()
        .for_each(|der| pem::encode("CERTIFICATE", der, &mut text));
    if text.len() > LONGEST_CHAIN {
        return Err(CredentialError::TooLarge(text.len(), LONGEST_CHAIN));
    }
    Ok(KeyPair {
        chain: text,
        key: key.pem,
        staple,
        facts,
    })
}

/// All certificates of a value, each of which can be read.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CredentialError> {
    let chain: Vec<Vec<u8>> = pem::blocks(bytes)?
        .into_iter()
        .filter_map(|block| match block {
            pem::PemBlock::Certificate(der) => Some(der),
            _ => None,
        })
        .collect();
    if chain.is_empty() {
        return Err(CredentialError::BadPem("no CERTIFICATE block".to_owned()));
    }
    for (place, der) in chain.iter().enumerate() {
        certificate::parse(der, place)?;
    }
    Ok(chain)
}

/// Of a key that cannot be read, its certificate may say that it is of a kind that Envoy does not take.
fn unsupported(chain: &[Vec<u8>]) -> Option<CredentialError> {
    let leaf = certificate::parse(chain.first()?, 0).ok()?;
    certificate::key_type(leaf.public_key()).err()
}

/// The key says which certificate is the leaf; Envoy wants it first.
fn leaf_first(
    chain: &mut [Vec<u8>],
    public: &[u8],
    field: &str,
    warnings: &mut Warnings<'_>,
) -> Result<(), CredentialError> {
    let belongs = |der: &Vec<u8>| {
        certificate::parse(der, 0).is_ok_and(|certificate| certificate.public_key().raw == public)
    };
    let first = chain.first().ok_or(CredentialError::NoCertificate)?;
    let Some(at) = chain.iter().position(belongs) else {
        // A kind of key that Envoy does not take is the better thing to say.
        certificate::check_leaf(&certificate::parse(first, 0)?)?;
        return Err(CredentialError::KeyMismatch);
    };
    if at > 0 {
        chain
            .get_mut(..=at)
            .into_iter()
            .for_each(|head| head.rotate_right(1));
        warnings.add(
            Code::ChainOrder,
            field,
            format!("certificate {at} is the key's own; it is served first"),
        );
    }
    Ok(())
}

fn check_dates(
    facts: &CertificateFacts,
    field: &str,
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> Result<(), CredentialError> {
    let text = |time: time::OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
    if facts.not_after < policy.now {
        if policy.refuse_expired {
            return Err(CredentialError::Expired(text(facts.not_after)));
        }
        warnings.add(
            Code::Expired,
            field,
            format!("expired on {}", text(facts.not_after)),
        );
    } else if facts.not_before > policy.now {
        warnings.add(
            Code::NotYetValid,
            field,
            format!("not valid before {}", text(facts.not_before)),
        );
    }
    Ok(())
}
