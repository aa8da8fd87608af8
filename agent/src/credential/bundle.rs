//! A trust bundle with its revocation lists.

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::SignatureVerificationAlgorithm;
use sealgate_model::Code;
use time::format_description::well_known::Rfc3339;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::{self, CertificateFacts};
use super::{CredentialError, CredentialPolicy, TrustBundle, Warnings, der, pair, pem, strict};

/// Far beyond any real bundle (the public web's is 0.2 MB).
const LARGEST_BUNDLE: usize = 1024 * 1024;
const SEQUENCE: u8 = 0x30;

/// A value and the name of its key.
pub(super) type SecretField<'a> = (&'a str, &'a [u8]);

pub(super) fn read(
    (field, bytes): SecretField<'_>,
    crl: Option<SecretField<'_>>,
    policy: &CredentialPolicy,
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
    check_dates(&facts, field, policy, warnings)?;
    let mut lists = lists_among(bytes)?;
    if let Some((_, bytes)) = crl {
        lists.extend(self::lists(bytes)?);
    }
    let crl = (!lists.is_empty())
        .then(|| {
            revocations(
                &lists,
                crl.map_or(field, |(field, _)| field),
                &certificates,
                policy,
                warnings,
            )
        })
        .transpose()?;
    Ok(TrustBundle {
        pem: text,
        crl,
        facts,
    })
}

fn check_dates(
    facts: &[CertificateFacts],
    field: &str,
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> Result<(), CredentialError> {
    let expired: Vec<_> = facts.iter().filter(|own| own.not_after < policy.now).collect();
    for own in facts.iter().filter(|own| own.not_before > policy.now) {
        warnings.add(
            Code::CaNotYetValid,
            field,
            format!("{} is not valid yet: its clients are refused", own.subject),
        );
    }
    let Some(last) = expired.iter().map(|own| own.not_after).max() else {
        return Ok(());
    };
    if expired.len() == facts.len() {
        // Envoy would load it, and then refuse every client.
        return Err(CredentialError::Expired(
            last.format(&Rfc3339).unwrap_or_default(),
        ));
    }
    for own in expired {
        warnings.add(
            Code::CaExpired,
            field,
            format!("{} has expired: its clients are refused", own.subject),
        );
    }
    Ok(())
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
            _ => Err(bad("something else than a revocation list")),
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
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> Result<String, CredentialError> {
    let mut text = String::new();
    let mut issuers = Vec::with_capacity(lists.len());
    for der in lists {
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| bad("cannot be read"))?;
        if !rest.is_empty() {
            return Err(bad("something follows the list in its block"));
        }
        if !strict::is_list(der) {
            return Err(bad("not in DER"));
        }
        if !signed_by_any(&list, authorities) {
            return Err(bad("no certificate of the bundle signed it"));
        }
        if list
            .next_update()
            .is_some_and(|next| next.to_datetime() < policy.now)
        {
            warnings.add(
                Code::CrlExpired,
                field,
                "the revocation list has expired: Envoy refuses every client by it",
            );
        }
        if list.last_update().to_datetime() > policy.now {
            warnings.add(
                Code::CrlNotYetValid,
                field,
                "the revocation list is not valid yet: Envoy refuses every client by it",
            );
        }
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
            "clients of a certificate authority without a revocation list are refused",
        );
    }
    Ok(text)
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
