//! Whether TLS is used for a destination, and with which credentials.

use super::{Doubt, UpstreamTerms};
use crate::few::Few;
use crate::resolve::catalog::Known;
use crate::resolve::lowered::Use;
use crate::resolve::rule_book::KnownPolicy;
use crate::resolve::upstream_tls::{self, TlsRefusal};
use crate::resolved::UpstreamTls;
use crate::{Code, CredentialName};

/// The decision.
#[derive(Debug, Default)]
pub(super) struct TlsDecision {
    /// None for plain text.
    pub(super) tls: Option<UpstreamTls>,
    /// The required TLS is impossible, so nothing may be sent.
    pub(super) is_lost: bool,
    pub(super) doubt: Option<Doubt>,
    /// The credentials that it names, whether they exist or not, and those that are used in their place.
    pub(super) wants: Few<CredentialName>,
}

/// Decides about a destination that had this TLS before.
pub(super) fn decide(
    of: &Use,
    known: &Known,
    policy: &KnownPolicy<'_>,
    before: Option<&UpstreamTls>,
    terms: UpstreamTerms<'_>,
) -> TlsDecision {
    let Some(tls) = policy.merged.tls else {
        return TlsDecision::default();
    };
    let asked = match upstream_tls::lower(tls, terms.catalog.secrets(), known.names()) {
        Ok(None) => return TlsDecision::default(),
        Ok(Some(asked)) => asked,
        Err(refusal) => return lost(of, &refusal, Few::default()),
    };
    // Includes those that it may not use, to notice when it may.
    let wants: Few<_> = asked.credentials().collect();
    let namespace = &policy.tls_by.namespace;
    let is_denied = |name: &CredentialName| !(terms.world.may_name)(namespace, name);
    if let Some(denied) = wants.iter().find(|name| is_denied(name)) {
        return lost(of, &TlsRefusal::not_granted(denied, namespace), wants);
    }
    let is_missing = |name: &CredentialName| !(terms.world.is_served)(name);
    let Some(missing) = wants.iter().find(|name| is_missing(name)) else {
        return TlsDecision {
            tls: Some(asked),
            wants,
            ..TlsDecision::default()
        };
    };
    let refusal = TlsRefusal::missing(missing);
    let may_stay = |before: &&UpstreamTls| {
        let mut names = before.credentials();
        before.is_possible() && !names.any(|name| is_missing(&name) || is_denied(&name))
    };
    let Some(before) = before.filter(may_stay) else {
        return lost(of, &refusal, wants);
    };
    let message = format!("{}: the previous TLS settings stay in use", refusal.message);
    TlsDecision {
        tls: Some(before.clone()),
        is_lost: false,
        doubt: Some(Doubt::new(Code::UpstreamTls, message)),
        wants: wants.iter().cloned().chain(before.credentials()).collect(),
    }
}

/// There are no endpoints then. The cluster still has TLS that no upstream can fulfil: Envoy may get the endpoints of
/// the next version while it still uses this one.
fn lost(of: &Use, refusal: &TlsRefusal, wants: Few<CredentialName>) -> TlsDecision {
    let message = format!("{} at port {}: {}", of.host, of.port, refusal.message);
    TlsDecision {
        tls: Some(UpstreamTls::impossible()),
        is_lost: true,
        doubt: Some(Doubt::lost(Code::UpstreamTls, message)),
        wants,
    }
}
