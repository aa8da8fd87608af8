//! A trust bundle with its revocation lists.

use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::{self, CertificateFacts};
use super::{CredentialError, Policy, TrustBundle, Warnings, pair, pem};

/// Far beyond any real bundle (the public web's is 0.2 MB).
const LARGEST_BUNDLE: usize = 1024 * 1024;

/// A value and the name of its key.
pub(super) type Part<'a> = (&'a str, &'a [u8]);

pub(super) fn read(
    (field, bytes): Part<'_>,
    crl: Option<Part<'_>>,
    policy: &Policy,
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
    let crl = crl
        .map(|crl| revocations(crl, &certificates, policy, warnings))
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
    policy: &Policy,
    warnings: &mut Warnings<'_>,
) -> Result<(), CredentialError> {
    let expired: Vec<_> = facts.iter().filter(|own| own.not_after < policy.now).collect();
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
            "ca-expired",
            field,
            format!("{} has expired: its clients are refused", own.subject),
        );
    }
    Ok(())
}

/// Envoy loads almost anything here, and then refuses every client.
fn revocations(
    (field, bytes): Part<'_>,
    authorities: &[Vec<u8>],
    policy: &Policy,
    warnings: &mut Warnings<'_>,
) -> Result<String, CredentialError> {
    let bad = |reason: &str| CredentialError::BadCrl(reason.to_owned());
    let lists: Vec<Vec<u8>> = if bytes.first() == Some(&0x30) {
        vec![bytes.to_vec()]
    } else {
        pem::blocks(bytes)?
            .into_iter()
            .map(|block| match block {
                pem::Block::Crl(der) => Ok(der),
                _ => Err(bad("something else than a revocation list")),
            })
            .collect::<Result<_, _>>()?
    };
    if lists.is_empty() {
        return Err(bad("there is none in the value"));
    }
    let mut text = String::new();
    for der in &lists {
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| bad("cannot be read"))?;
        if !rest.is_empty() {
            return Err(bad("something follows the list in its block"));
        }
        if !signed_by_any(&list, authorities) {
            return Err(bad("no certificate of the bundle signed it"));
        }
        if list
            .next_update()
            .is_some_and(|next| next.to_datetime() < policy.now)
        {
            warnings.add(
                "crl-expired",
                field,
                "the revocation list has expired: Envoy refuses every client by it",
            );
        }
        pem::encode("X509 CRL", der, &mut text);
    }
    if lists.len() < authorities.len() {
        warnings.add(
            "crl-partial",
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
                && list.verify_signature(authority.public_key()).is_ok()
        })
}
