//! A certificate chain with its key.

use sealgate_model::Code;

use super::key::PrivateKey;
use super::{CredentialError, KeyPair, Warnings, certificate, key, ocsp, pem};

/// More than this no client takes in a handshake.
const LONGEST_CHAIN: usize = 64 * 1024;

/// The values of a Secret, and the names of their keys.
pub(super) struct Parts<'a> {
    pub(super) certificate: (&'a str, &'a [u8]),
    pub(super) key: &'a [u8],
    pub(super) staple: Option<(&'a str, &'a [u8])>,
}

pub(super) fn read(parts: &Parts<'_>, warnings: &mut Warnings<'_>) -> Result<KeyPair, CredentialError> {
    let (field, bytes) = parts.certificate;
    let mut chain = certificates(bytes)?;
    let keys = key::read(parts.key).map_err(|error| unsupported(&chain).unwrap_or(error))?;
    let key = own_key(keys, &chain)?;
    leaf_first(&mut chain, &key.public, field, warnings)?;
    let der = chain.first().ok_or(CredentialError::NoCertificate)?;
    let leaf = certificate::parse(der, 0)?;
    certificate::check_leaf(&leaf)?;
    let facts = certificate::facts(&leaf, der);
    if let Some(algorithm) = certificate::weak_signature(&leaf) {
        warnings.add(
            Code::WeakSignature,
            field,
            format!("signed with {algorithm}, which clients reject"),
        );
    }
    let staple = ocsp::staple(&leaf, parts.staple, warnings)?;
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
        must_staple: certificate::must_staple(&leaf),
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

/// Of several keys the one that the first certificate belongs to, else the only one that any does.
fn own_key(keys: key::ReadableKeys, chain: &[Vec<u8>]) -> Result<PrivateKey, CredentialError> {
    let key::ReadableKeys {
        mut readable,
        encrypted,
    } = keys;
    let count = readable.len();
    let fits = |key: &PrivateKey, chain: &[Vec<u8>]| chain.iter().any(|der| belongs(der, &key.public));
    let first = chain.get(..1).unwrap_or_default();
    let any = readable.iter().filter(|key| fits(key, chain)).count();
    let at = match (count, any) {
        (1, 0) if !encrypted => Some(0),
        (_, 0) if encrypted => return Err(CredentialError::EncryptedKey),
        (_, 1) => readable.iter().position(|key| fits(key, chain)),
        _ => readable.iter().position(|key| fits(key, first)),
    };
    at.map(|at| readable.swap_remove(at))
        .ok_or(CredentialError::SeveralKeys(count))
}

fn belongs(der: &[u8], public: &[u8]) -> bool {
    certificate::parse(der, 0).is_ok_and(|certificate| certificate.public_key().raw == public)
}

/// The key says which certificate is the leaf; Envoy wants it first.
fn leaf_first(
    chain: &mut [Vec<u8>],
    public: &[u8],
    field: &str,
    warnings: &mut Warnings<'_>,
) -> Result<(), CredentialError> {
    let first = chain.first().ok_or(CredentialError::NoCertificate)?;
    let Some(at) = chain.iter().position(|der| belongs(der, public)) else {
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
