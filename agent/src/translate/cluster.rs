//! One cluster per destination that some route names.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::cluster::v3::{
    CircuitBreakers, Cluster,
    circuit_breakers::Thresholds,
    cluster::{ClusterDiscoveryType, DiscoveryType, DnsLookupFamily, EdsClusterConfig, LbPolicy},
};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as CommonOptions,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{
    HttpProtocolOptions,
    http_protocol_options::{
        ExplicitHttpConfig, UpstreamProtocolOptions, explicit_http_config::ProtocolConfig,
    },
};
use prost::Message as _;
use sealgate_model::resolved::{Endpoints, Upstream};

use super::{endpoint, wire};
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};
use crate::snapshot::Resource;
use crate::valid::{Packer, Violation};

/// The cluster of an upstream.
pub(super) fn resource(upstream: &Upstream, limits: &EnvoyLimits) -> Result<Resource, Violation> {
    let packer = Packer::checking();
    let cluster = build(upstream, limits, &packer);
    packer.check(&cluster);
    packer.verdict()?;
    Ok(Resource::new(cluster.encode_to_vec()))
}

fn build(upstream: &Upstream, limits: &EnvoyLimits, packer: &Packer) -> Cluster {
    let cluster = Cluster {
        name: upstream.name.to_string(),
        connect_timeout: wire::limit(limits.of(EnvoyLimit::UpstreamConnect)),
        lb_policy: LbPolicy::LeastRequest.into(),
        circuit_breakers: Some(breakers(limits)),
        typed_extension_protocol_options: HashMap::from([(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            packer.any(&protocol(upstream.http2, limits)),
        )]),
        ..Default::default()
    };
    match &upstream.endpoints {
        Endpoints::Known(_) => Cluster {
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
            eds_cluster_config: Some(EdsClusterConfig {
                eds_config: Some(wire::from_ads(None)),
                ..Default::default()
            }),
            ..cluster
        },
        Endpoints::Dns(endpoints) => Cluster {
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::StrictDns.into())),
            dns_lookup_family: DnsLookupFamily::V4Preferred.into(),
            load_assignment: Some(endpoint::assignment(&upstream.name, endpoints)),
            ..cluster
        },
    }
}

fn breakers(limits: &EnvoyLimits) -> CircuitBreakers {
    let most = limits.of(EnvoyLimit::UpstreamRequests);
    let thresholds = Thresholds {
        max_connections: wire::uint(most),
        max_pending_requests: wire::uint(most),
        max_requests: wire::uint(most),
        max_retries: wire::uint(limits.of(EnvoyLimit::UpstreamRetries)),
        ..Default::default()
    };
    CircuitBreakers {
        thresholds: vec![thresholds],
        ..Default::default()
    }
}

fn protocol(http2: bool, limits: &EnvoyLimits) -> HttpProtocolOptions {
    let config = if http2 {
        ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())
    } else {
        ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default())
    };
    HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions {
            idle_timeout: wire::limit(limits.of(EnvoyLimit::UpstreamIdle)),
            ..Default::default()
        }),
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(config),
        })),
        ..Default::default()
    }
}
