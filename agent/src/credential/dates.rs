//! What a credential's dates make of it. Its Secret is read once; its dates are looked at whenever one of them passes, so that
//! nothing expires unseen.

use std::sync::Arc;

use sealgate_model::{Code, Finding, ObjectRef};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::certificate::CertificateFacts;
use super::layout::Shape;
use super::lifetime::{Age, Lifetime};
use super::{
    Credential, CredentialError, CredentialOutcome, CredentialPolicy, KeyPair, TrustBundle, Warnings,
};

impl CertificateFacts {
    fn validity(&self) -> Lifetime {
        Lifetime {
            from: self.not_before,
            until: Some(self.not_after),
        }
    }
}

/// What is to be made of a credential between two of its dates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DateVerdict {
    pub(crate) outcome: CredentialOutcome,
    /// The key of the Secret that a refusal is about.
    pub(crate) field: Option<String>,
    /// What its dates give reason to say.
    pub(crate) findings: Vec<Finding>,
    /// When to judge it again.
    pub(crate) until: Option<OffsetDateTime>,
    /// Should the clock go back to this time or beyond, it is judged again too.
    pub(crate) since: Option<OffsetDateTime>,
}

/// Judges a credential by its dates.
pub(super) fn judge(
    credential: &Arc<Credential>,
    shape: &Shape,
    object: &ObjectRef,
    policy: &CredentialPolicy,
) -> DateVerdict {
    let mut findings = Vec::new();
    let mut warnings = Warnings {
        object: object.clone(),
        findings: &mut findings,
    };
    let (served, lives) = match &**credential {
        Credential::KeyPair(pair) => (
            pair_now(credential, pair, shape, policy, &mut warnings),
            pair_lives(pair),
        ),
        Credential::TrustBundle(bundle) => (
            bundle_now(bundle, shape, policy, &mut warnings).map(|()| Arc::clone(credential)),
            bundle.validities().collect(),
        ),
    };
    let bundle = matches!(**credential, Credential::TrustBundle(_));
    let (outcome, field) = match served {
        Ok(served) => (CredentialOutcome::Ready(served), None),
        Err(error) => {
            let field = shape.field(&error, bundle);
            // The refusal says it.
            findings.clear();
            (CredentialOutcome::Refused(error), field)
        }
    };
    DateVerdict {
        outcome,
        field,
        findings,
        until: lives.iter().filter_map(|own| own.next(policy.now)).min(),
        since: lives.iter().filter_map(|own| own.last(policy.now)).max(),
    }
}

fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

fn pair_lives(pair: &KeyPair) -> Vec<Lifetime> {
    let staple = pair.staple.as_ref().map(|staple| staple.validity);
    staple.into_iter().chain([pair.facts.validity()]).collect()
}

impl TrustBundle {
    fn validities(&self) -> impl Iterator<Item = Lifetime> {
        let certificates = self.facts.iter().map(CertificateFacts::validity);
        certificates.chain(self.lists.iter().copied())
    }
}

/// The pair as it is to be served now.
fn pair_now(
    credential: &Arc<Credential>,
    pair: &KeyPair,
    shape: &Shape,
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> Result<Arc<Credential>, CredentialError> {
    match pair.facts.validity().age(policy.now) {
        Age::Over(until) if policy.refuse_expired => return Err(CredentialError::Expired(text(until))),
        Age::Over(until) => warnings.add(
            Code::Expired,
            shape.certificate,
            format!("expired on {}", text(until)),
        ),
        Age::NotYet => {
            let from = text(pair.facts.not_before);
            if policy.refuse_expired {
                return Err(CredentialError::NotYetValid(from));
            }
            warnings.add(
                Code::NotYetValid,
                shape.certificate,
                format!("not valid before {from}"),
            );
        }
        Age::Last(until) => warnings.add(
            Code::ExpiresSoon,
            shape.certificate,
            format!("expires on {}", text(until)),
        ),
        Age::Good => {}
    }
    let Some((staple, field)) = pair.staple.as_ref().zip(shape.staple) else {
        return Ok(Arc::clone(credential));
    };
    match staple.validity.age(policy.now) {
        Age::Over(_) if pair.must_staple => return Err(CredentialError::MustStaple("it has expired")),
        Age::Over(_) => {
            warnings.add(
                Code::StapleDropped,
                field,
                "the OCSP staple is not served: it has expired",
            );
            let without = KeyPair {
                staple: None,
                ..pair.clone()
            };
            return Ok(Arc::new(Credential::KeyPair(without)));
        }
        Age::Last(until) => warnings.add(
            Code::ExpiresSoon,
            field,
            format!("the OCSP staple expires on {}", text(until)),
        ),
        Age::NotYet | Age::Good => {}
    }
    Ok(Arc::clone(credential))
}

fn bundle_now(
    bundle: &TrustBundle,
    shape: &Shape,
    policy: &CredentialPolicy,
    warnings: &mut Warnings<'_>,
) -> Result<(), CredentialError> {
    let ages = || bundle.facts.iter().map(|own| own.validity().age(policy.now));
    if ages().all(|age| matches!(age, Age::Over(_))) {
        // Envoy would load it, and then refuse every client.
        let last = bundle.facts.iter().map(|own| own.not_after).max();
        return Err(CredentialError::Expired(last.map(text).unwrap_or_default()));
    }
    if policy.refuse_expired && ages().all(|age| matches!(age, Age::Over(_) | Age::NotYet)) {
        let coming = bundle.facts.iter().map(|own| own.not_before);
        let first = coming.filter(|from| *from > policy.now).min();
        return Err(CredentialError::NotYetValid(first.map(text).unwrap_or_default()));
    }
    for own in &bundle.facts {
        let subject = &own.subject;
        let (code, message) = match own.validity().age(policy.now) {
            Age::Good => continue,
            Age::NotYet => (
                Code::CaNotYetValid,
                format!("{subject} is not valid yet: its clients are rejected"),
            ),
            Age::Last(until) => (
                Code::ExpiresSoon,
                format!(
                    "{subject} expires on {}: from then on, its clients are rejected",
                    text(until)
                ),
            ),
            Age::Over(_) => (
                Code::CaExpired,
                format!("{subject} has expired: its clients are rejected"),
            ),
        };
        warnings.add(code, shape.authority, message);
    }
    for list in &bundle.lists {
        match list.age(policy.now) {
            Age::Over(_) => warnings.add(
                Code::CrlExpired,
                shape.crl,
                "the revocation list has expired: Envoy rejects every client",
            ),
            Age::Last(until) => warnings.add(
                Code::ExpiresSoon,
                shape.crl,
                format!(
                    "the revocation list expires on {}: from then on, Envoy rejects every client",
                    text(until)
                ),
            ),
            Age::NotYet => warnings.add(
                Code::CrlNotYetValid,
                shape.crl,
                "the revocation list is not valid yet: Envoy rejects every client",
            ),
            Age::Good => {}
        }
    }
    Ok(())
}
