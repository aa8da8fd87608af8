//! Private keys: read in every encoding that Envoy reads, and asked for their public half.

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use zeroize::Zeroizing;

use super::{CredentialError, pem};

/// A key in canonical form, and its public half.
pub(super) struct Key {
    pub(super) pem: Zeroizing<String>,
    /// SubjectPublicKeyInfo.
    pub(super) public: Vec<u8>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Key, CredentialError> {
    if pem::has_encrypted_key(bytes) {
        return Err(CredentialError::EncryptedKey);
    }
    let keys: Vec<_> = pem::blocks(bytes)?
        .into_iter()
        .filter(|block| {
            matches!(
                block,
                pem::Block::Pkcs1(_) | pem::Block::Sec1(_) | pem::Block::Pkcs8(_)
            )
        })
        .collect();
    let [key] = keys.as_slice() else {
        return Err(if keys.is_empty() {
            CredentialError::BadKey("no PRIVATE KEY block".to_owned())
        } else {
            CredentialError::SeveralKeys(keys.len())
        });
    };
    // OpenSSL looks at the content, not the label: PKCS#8 is good under RSA and EC labels, and only so.
    let tried: &[(&str, PrivateKeyDer<'_>)] = &match key {
        pem::Block::Pkcs1(der) => [("RSA PRIVATE KEY", pkcs1(der)), ("PRIVATE KEY", pkcs8(der))],
        pem::Block::Sec1(der) => [("EC PRIVATE KEY", sec1(der)), ("PRIVATE KEY", pkcs8(der))],
        pem::Block::Pkcs8(der) => [("PRIVATE KEY", pkcs8(der)), ("PRIVATE KEY", pkcs8(der))],
        pem::Block::Certificate(_) | pem::Block::Crl(_) => return Err(CredentialError::NoKey),
    };
    for (label, der) in tried {
        let Ok(signer) = any_supported_type(der) else {
            continue;
        };
        let Some(public) = signer.public_key() else {
            continue;
        };
        let mut text = Zeroizing::new(String::new());
        pem::encode(label, der.secret_der(), &mut text);
        return Ok(Key {
            pem: text,
            public: public.as_ref().to_vec(),
        });
    }
    Err(CredentialError::BadKey(
        "not a key of a supported kind, or damaged".to_owned(),
    ))
}

fn pkcs1(der: &[u8]) -> PrivateKeyDer<'_> {
    PrivatePkcs1KeyDer::from(der).into()
}

fn pkcs8(der: &[u8]) -> PrivateKeyDer<'_> {
    PrivatePkcs8KeyDer::from(der).into()
}

fn sec1(der: &[u8]) -> PrivateKeyDer<'_> {
    PrivateSec1KeyDer::from(der).into()
}
