//! `trafficPolicy` of a DestinationRule, from Istio's words to [`UpstreamPolicy`]. Validation asks what is wrong, and the
//! resolver for the result; both get it from [`lower`].

mod balancing;
mod ejection;
mod hashing;
mod locality;
mod merge;
mod pool;
mod problems;

use sealgate_core::config::{ProxyProtocol, RetryBudget};

pub(crate) use self::locality::{needs_ejection, needs_pods};
pub(crate) use self::merge::MergedPolicy;
pub(crate) use self::problems::PolicyProblems;
use crate::resolved::{ProxyProtocolVersion, RetryShare, UpstreamPolicy};

/// What a policy means, all but its TLS; what is wrong with it goes to `problems`, and is left out of the result.
pub(crate) fn lower(policy: &MergedPolicy<'_>, problems: &mut PolicyProblems) -> UpstreamPolicy {
    let balancing = policy.load_balancer.map(|own| balancing::lower(own, problems));
    let locality = policy
        .load_balancer
        .and_then(|own| own.locality_lb_setting.as_ref());
    let placement = locality.map(|own| locality::lower(own, problems));
    let pool = policy.connection_pool.map(|own| pool::lower(own, problems));
    let ejection = policy.outlier_detection.map(|own| ejection::lower(own, problems));
    let proxy_protocol = policy.proxy_protocol.and_then(|own| version(own, problems));
    let retries = policy.retry_budget.map(|own| share(own, problems));
    UpstreamPolicy {
        balancing: balancing.unwrap_or_default(),
        placement,
        pool: pool.unwrap_or_default(),
        ejection,
        retries,
        tls: None,
        proxy_protocol,
    }
}

fn version(own: &ProxyProtocol, problems: &mut PolicyProblems) -> Option<ProxyProtocolVersion> {
    match own.version.as_deref() {
        None | Some("" | "V1") => Some(ProxyProtocolVersion::V1),
        Some("V2") => Some(ProxyProtocolVersion::V2),
        Some(other) => {
            problems.refuse("proxyProtocol.version", format!("{other:?}: V1 or V2"));
            None
        }
    }
}

/// Envoy's defaults for what is not said.
fn share(own: &RetryBudget, problems: &mut PolicyProblems) -> RetryShare {
    let percent = own.percent.unwrap_or(20.0);
    if !(0.0..=100.0).contains(&percent) {
        problems.refuse("retryBudget.percent", format!("{percent} is not from 0 to 100"));
    }
    RetryShare {
        percent: percent.clamp(0.0, 100.0),
        minimum: own.min_retry_concurrency.unwrap_or(3),
    }
}

#[cfg(test)]
mod tests;
