//! One cluster for each destination that a route names.

mod balancing;
mod ejection;
mod hashing;
mod http;
mod pool;
mod transport;

use std::collections::HashMap;
use std::time::Duration;

use envoy_types::pb::envoy::config::cluster::v3::{
    Cluster, UpstreamConnectionOptions,
    cluster::{
        ClusterDiscoveryType, CommonLbConfig, DiscoveryType, DnsLookupFamily, EdsClusterConfig, RefreshRate,
        common_lb_config::{LocalityConfigSpecifier, LocalityWeightedLbConfig},
    },
};
use envoy_types::pb::envoy::config::core::v3::TcpKeepalive;
use envoy_types::pb::envoy::r#type::v3::Percent;
use prost::Message as _;
use sealgate_model::resolved::{EndpointSource, Probes, Upstream, UpstreamPolicy};

use super::{endpoint, wire};
use crate::envoy_limits::EnvoyLimits;
use crate::snapshot::Resource;
use crate::valid::{Packer, Violation};

const DNS_REFRESH: Duration = Duration::from_secs(60);
const DNS_RETRY: Duration = Duration::from_secs(5);
/// Spreads DNS requests: ten thousand names must not be resolved at the same moment.
const DNS_JITTER: Duration = Duration::from_millis(100);

/// The cluster of an upstream.
pub(super) fn resource(upstream: &Upstream, limits: &EnvoyLimits) -> Result<Resource, Violation> {
    let packer = Packer::checking();
    let cluster = build(upstream, limits, &packer);
    packer.check(&cluster);
    packer.verdict()?;
    Ok(Resource::new(cluster.encode_to_vec()))
}

fn build(upstream: &Upstream, limits: &EnvoyLimits, packer: &Packer) -> Cluster {
    let silent = UpstreamPolicy::default();
    let policy = upstream.policy.as_deref().unwrap_or(&silent);
    let options = http::options(upstream.http2, policy, limits);
    let cluster = Cluster {
        name: upstream.name.to_string(),
        connect_timeout: pool::connect_timeout(policy, limits),
        circuit_breakers: Some(pool::breakers(policy, limits)),
        outlier_detection: policy.ejection.as_ref().map(ejection::build),
        common_lb_config: balanced(upstream, policy),
        upstream_connection_options: policy.pool.keepalive.map(keepalive),
        transport_socket: transport::socket(upstream.http2, policy, packer),
        typed_extension_protocol_options: HashMap::from([(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            packer.any(&options),
        )]),
        ..balancing::build(&policy.balancing, &upstream.endpoints, packer)
    };
    match upstream.endpoints.source {
        EndpointSource::Pushed => Cluster {
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
            eds_cluster_config: Some(EdsClusterConfig {
                eds_config: Some(wire::from_ads(None)),
                ..Default::default()
            }),
            ..cluster
        },
        EndpointSource::Dns => of_names(upstream, DiscoveryType::StrictDns, cluster),
        EndpointSource::RoundRobinDns => of_names(upstream, DiscoveryType::LogicalDns, cluster),
    }
}

/// Names are resolved as in Istio: an answer is valid for its TTL, or for a minute without one. After a failure, it is
/// tried again soon, and then less often.
#[expect(
    deprecated,
    reason = "Istio sets these fields, and Envoy's new ones need an extension that they replace"
)]
fn of_names(upstream: &Upstream, kind: DiscoveryType, cluster: Cluster) -> Cluster {
    Cluster {
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(kind.into())),
        dns_lookup_family: DnsLookupFamily::V4Preferred.into(),
        respect_dns_ttl: true,
        dns_refresh_rate: wire::duration(DNS_REFRESH),
        dns_failure_refresh_rate: Some(RefreshRate {
            base_interval: wire::duration(DNS_RETRY),
            max_interval: wire::duration(DNS_REFRESH),
        }),
        dns_jitter: wire::duration(DNS_JITTER),
        load_assignment: Some(endpoint::assignment(&upstream.name, &upstream.endpoints.groups)),
        ..cluster
    }
}

/// How many endpoints may fail before all get requests, and whether the weights of localities count. If they do,
/// endpoints that are not ready are included, which must never get requests.
fn balanced(upstream: &Upstream, policy: &UpstreamPolicy) -> Option<CommonLbConfig> {
    let by_weight = upstream.endpoints.by_weight;
    let percent = policy.ejection.as_ref().map(|own| own.panic_percent);
    let percent = percent.or(by_weight.then_some(0))?;
    Some(CommonLbConfig {
        healthy_panic_threshold: Some(Percent {
            value: percent.into(),
        }),
        locality_config_specifier: by_weight.then_some(LocalityConfigSpecifier::LocalityWeightedLbConfig(
            LocalityWeightedLbConfig {},
        )),
        ..CommonLbConfig::default()
    })
}

fn keepalive(probes: Probes) -> UpstreamConnectionOptions {
    UpstreamConnectionOptions {
        tcp_keepalive: Some(TcpKeepalive {
            keepalive_probes: probes.count.and_then(wire::uint),
            keepalive_time: probes.idle_s.and_then(wire::uint),
            keepalive_interval: probes.interval_s.and_then(wire::uint),
        }),
        ..UpstreamConnectionOptions::default()
    }
}

#[cfg(test)]
mod tests;
