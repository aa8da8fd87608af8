//! Private keys: read in every encoding that Envoy reads, written in one, and asked for their public half.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{CredentialError, pem};

const CURVES: [&EcdsaSigningAlgorithm; 3] = [
    &ECDSA_P256_SHA256_ASN1_SIGNING,
    &ECDSA_P384_SHA384_ASN1_SIGNING,
    &ECDSA_P521_SHA512_ASN1_SIGNING,
];

/// A key in canonical form, and its public half.
pub(super) struct PrivateKey {
    /// PKCS#8, version 1: the form that Envoy reads for every kind of key.
    pub(super) pem: Zeroizing<String>,
    /// SubjectPublicKeyInfo.
    pub(super) public: Vec<u8>,
}

/// The keys of a value.
pub(super) struct ReadableKeys {
    /// Each once; at least one.
    pub(super) readable: Vec<PrivateKey>,
    /// Whether there is one beside them that asks for a password.
    pub(super) encrypted: bool,
}

/// All keys of a value that can be read. One that cannot be is no matter if there are others.
pub(super) fn read(bytes: &[u8]) -> Result<ReadableKeys, CredentialError> {
    let encrypted = pem::has_encrypted_key(bytes);
    let blocks = pem::blocks(bytes).map_err(|error| match error {
        _ if encrypted => CredentialError::EncryptedKey,
        error => error,
    })?;
    let mut readable: Vec<PrivateKey> = Vec::new();
    let mut count = 0;
    for block in &blocks {
        if matches!(block, pem::PemBlock::Certificate(_) | pem::PemBlock::Crl(_)) {
            continue;
        }
        count += 1;
        let key = parse(block).filter(|key| readable.iter().all(|known| known.public != key.public));
        readable.extend(key);
    }
    match (readable.is_empty(), count) {
        (false, _) => Ok(ReadableKeys { readable, encrypted }),
        (true, _) if encrypted => Err(CredentialError::EncryptedKey),
        (true, 0) => Err(CredentialError::BadKey("no PRIVATE KEY block".to_owned())),
        (true, 1) => Err(CredentialError::BadKey(
            "not a key of a supported kind, or damaged".to_owned(),
        )),
        (true, count) => Err(CredentialError::SeveralKeys(count)),
    }
}

/// OpenSSL looks at the content, not the label: PKCS#8 is good under RSA and EC labels, and only so.
fn parse(block: &pem::PemBlock) -> Option<PrivateKey> {
    match block {
        pem::PemBlock::Pkcs1(der) => pkcs1(der).or_else(|| pkcs8(der)),
        pem::PemBlock::Sec1(der) => sec1(der).or_else(|| pkcs8(der)),
        pem::PemBlock::Pkcs8(der) => pkcs8(der),
        pem::PemBlock::Certificate(_) | pem::PemBlock::Crl(_) => None,
    }
}

fn pkcs1(der: &[u8]) -> Option<PrivateKey> {
    rsa(&RsaKeyPair::from_der(der).ok()?)
}

fn sec1(der: &[u8]) -> Option<PrivateKey> {
    CURVES
        .into_iter()
        .find_map(|curve| ec(curve, &EcdsaKeyPair::from_private_key_der(curve, der).ok()?))
}

fn pkcs8(der: &[u8]) -> Option<PrivateKey> {
    let rsa = || rsa(&RsaKeyPair::from_pkcs8(der).ok()?);
    let ec = || {
        CURVES
            .into_iter()
            .find_map(|curve| ec(curve, &EcdsaKeyPair::from_pkcs8(curve, der).ok()?))
    };
    rsa()
        .or_else(ec)
        .or_else(|| ed25519(&Ed25519KeyPair::from_pkcs8(der).ok()?))
}

fn rsa(pair: &RsaKeyPair) -> Option<PrivateKey> {
    let private: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    canonical(private.as_ref(), pair.public_key().as_der())
}

/// From its numbers: a key that was read remembers in which form its point was written.
fn ec(curve: &'static EcdsaSigningAlgorithm, pair: &EcdsaKeyPair) -> Option<PrivateKey> {
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    let public = pair.public_key().as_ref();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, private.as_ref(), public).ok()?;
    canonical(pair.to_pkcs8v1().ok()?.as_ref(), pair.public_key().as_der())
}

fn ed25519(pair: &Ed25519KeyPair) -> Option<PrivateKey> {
    canonical(pair.to_pkcs8v1().ok()?.as_ref(), pair.public_key().as_der())
}

fn canonical(private: &[u8], public: Result<PublicKeyX509Der<'_>, Unspecified>) -> Option<PrivateKey> {
    let mut text = Zeroizing::new(String::new());
    pem::encode("PRIVATE KEY", private, &mut text);
    Some(PrivateKey {
        pem: text,
        public: public.ok()?.as_ref().to_vec(),
    })
}
