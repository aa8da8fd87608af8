//! The maximum numbers of connections and requests: the policy's, or else our limits.

use envoy_types::pb::envoy::config::cluster::v3::{
    CircuitBreakers,
    circuit_breakers::{Thresholds, thresholds::RetryBudget},
};
use envoy_types::pb::envoy::r#type::v3::Percent;
use envoy_types::pb::google::protobuf::Duration;
use sealgate_model::resolved::UpstreamPolicy;

use super::wire;
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};

pub(super) fn connect_timeout(policy: &UpstreamPolicy, limits: &EnvoyLimits) -> Option<Duration> {
    match policy.pool.connect {
        Some(own) => wire::duration(own),
        None => wire::limit(limits.of(EnvoyLimit::UpstreamConnect)),
    }
}

pub(super) fn breakers(policy: &UpstreamPolicy, limits: &EnvoyLimits) -> CircuitBreakers {
    let most = limits.of(EnvoyLimit::UpstreamRequests);
    let or = |own: Option<u32>, ours: u32| wire::uint(own.unwrap_or(ours));
    let pool = &policy.pool;
    let thresholds = Thresholds {
        max_connections: or(pool.connections, most),
        max_pending_requests: or(pool.pending, most),
        max_requests: or(pool.requests, most),
        max_retries: or(pool.retries, limits.of(EnvoyLimit::UpstreamRetries)),
        retry_budget: policy.retries.as_ref().map(|share| RetryBudget {
            budget_percent: Some(Percent { value: share.percent }),
            min_retry_concurrency: wire::uint(share.minimum),
            ..RetryBudget::default()
        }),
        ..Thresholds::default()
    };
    CircuitBreakers {
        thresholds: vec![thresholds],
        ..CircuitBreakers::default()
    }
}
