//! A trust bundle with its revocation lists.

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::SignatureVerificationAlgorithm;
use sealgate_model::Code;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::{self, CertificateFacts};
use super::lifetime::Lifetime;
use super::{CredentialError, TrustBundle, Warnings, der, pair, pem, strict};

/// Far beyond any real bundle (the public web's is 0.2 MB).
const LARGEST_BUNDLE: usize = 1024 * 1024;
const SEQUENCE: u8 = 0x30;

/// A value and the name of its key.
pub(super) type SecretField<'a> = (&'a str, &'a [u8]);

pub(super) fn read(
    (field, bytes): SecretField<'_>,
    crl: Option<SecretField<'_>>,
    warnings: &mut Warnings<'_>,
) -> Result<TrustBundle, CredentialError> {
    if bytes.len() > LARGEST_BUNDLE {
        return Err(CredentialError::TooLarge(bytes.len(), LARGEST_BUNDLE));
    }
    // As a whole: a bundle that got smaller in silence would lock people out.
    let certificates = pair::certificates(bytes)?;
    let mut facts: Vec<CertificateFacts> = Vec::with_capacity(certificates.len());
    let mut text = String::new();
    for (place, der) in certificates.iter().enumerate() {
        let own = certificate::facts(&certificate::parse(der, place)?, der);
        // The same certificate twice is refused by some readers and means nothing.
        if !facts.iter().any(|known| known.sha256 == own.sha256) {
            pem::encode("CERTIFICATE", der, &mut text);
            facts.push(own);
        }
    }
    let mut lists = lists_among(bytes)?;
    if let Some((_, bytes)) = crl {
        lists.extend(self::lists(bytes)?);
    }
    let field = crl.map_or(field, |(field, _)| field);
    let revocations = (!lists.is_empty())
        .then(|| revocations(&lists, field, &certificates, warnings))
        .transpose()?;
    let (crl, lists) = revocations.unzip();
    Ok(TrustBundle {
        pem: text,
        crl,
        lists: lists.unwrap_or_default(),
        facts,
    })
}

fn bad(reason: &str) -> CredentialError {
    CredentialError::BadCrl(reason.to_owned())
}

/// The revocation lists among a bundle's certificates: Envoy goes by them too.
fn lists_among(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CredentialError> {
    let blocks = pem::blocks(bytes)?.into_iter();
    let lists = blocks.filter_map(|block| match block {
        pem::PemBlock::Crl(der) => Some(der),
        _ => None,
    });
    Ok(lists.collect())
}

/// The revocation lists of a value that is for nothing else.
fn lists(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CredentialError> {
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes.to_vec()]);
    }
    let lists = pem::blocks(bytes)?
        .into_iter()
        .map(|block| match block {
            pem::PemBlock::Crl(der) => Ok(der),
            _ => Err(bad("something other than a revocation list")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if lists.is_empty() {
        return Err(bad("there is none in the value"));
    }
    Ok(lists)
}

/// Envoy loads almost anything here, and then refuses every client.
fn revocations(
    lists: &[Vec<u8>],
    field: &str,
    authorities: &[Vec<u8>],
    warnings: &mut Warnings<'_>,
) -> Result<(String, Vec<Lifetime>), CredentialError> {
    let mut text = String::new();
    let mut validities = Vec::with_capacity(lists.len());
    let mut issuers = Vec::with_capacity(lists.len());
    for der in lists {
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| bad("cannot be read"))?;
        if !rest.is_empty() {
            return Err(bad("its block contains more than the list"));
        }
        if !strict::is_list(der) {
            return Err(bad("not in DER"));
        }
        if !signed_by_any(&list, authorities) {
            return Err(bad("no certificate of the bundle signed it"));
        }
        validities.push(Lifetime {
            from: list.last_update().to_datetime(),
            until: list.next_update().map(|next| next.to_datetime()),
        });
        issuers.push(list.issuer().as_raw().to_vec());
        pem::encode("X509 CRL", der, &mut text);
    }
    let mut authorities = authorities
        .iter()
        .filter_map(|der| certificate::parse(der, 0).ok());
    if authorities.any(|authority| {
        !issuers
            .iter()
            .any(|issuer| issuer == authority.subject().as_raw())
    }) {
        warnings.add(
            Code::CrlPartial,
            field,
            "clients of a certificate authority without a revocation list are rejected",
        );
    }
    Ok((text, validities))
}

fn signed_by_any(list: &CertificateRevocationList<'_>, authorities: &[Vec<u8>]) -> bool {
    authorities
        .iter()
        .filter_map(|der| certificate::parse(der, 0).ok())
        .any(|authority| {
            authority.subject().as_raw() == list.issuer().as_raw()
                && (list.verify_signature(authority.public_key()).is_ok()
                    || signed_by_another_kind(list, &authority))
        })
}

/// The kinds of keys and signatures that `verify_signature` does not know (P-521, SHA-512 with ECDSA).
fn signed_by_another_kind(list: &CertificateRevocationList<'_>, authority: &X509Certificate<'_>) -> bool {
    let key = authority.public_key();
    let algorithms = default_provider().signature_verification_algorithms.all;
    let of_this_kind = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
        let named = der::expect(key.raw, SEQUENCE).and_then(|(fields, _)| der::expect(fields, SEQUENCE));
        named.is_some_and(|(named, _)| named == algorithm.public_key_alg_id().as_ref())
    };
    algorithms.iter().filter(of_this_kind).any(|algorithm| {
        let signature = &list.signature_value.data;
        let key = &key.subject_public_key.data;
        algorithm
            .verify_signature(key, list.tbs_cert_list.as_ref(), signature)
            .is_ok()
    })
}
