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
use crate::snapshot::Resource;
use crate::valid::{Packer, Violation};

const CONNECT_TIMEOUT_S: i64 = 5;
const IDLE_S: i64 = 300;
/// Envoy's breakers of 1,024 are there for meshes; an edge that reaches them turns requests away for no reason.
const BREAKER: u32 = 65_536;
/// Retries are bounded all the same: a retry storm is worse than the failure.
const RETRY_BREAKER: u32 = 1_024;

/// The cluster of an upstream.
pub(super) fn resource(upstream: &Upstream) -> Result<Resource, Violation> {
    let packer = Packer::checking();
    let cluster = build(upstream, &packer);
    packer.check(&cluster);
    packer.verdict()?;
    Ok(Resource::new(cluster.encode_to_vec()))
}

fn build(upstream: &Upstream, packer: &Packer) -> Cluster {
    let cluster = Cluster {
        name: upstream.name.to_string(),
        connect_timeout: wire::seconds(CONNECT_TIMEOUT_S),
        lb_policy: LbPolicy::LeastRequest.into(),
        circuit_breakers: Some(breakers()),
        typed_extension_protocol_options: HashMap::from([(
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
            packer.any(&protocol(upstream.http2)),
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

fn breakers() -> CircuitBreakers {
    let thresholds = Thresholds {
        max_connections: wire::uint(BREAKER),
        max_pending_requests: wire::uint(BREAKER),
        max_requests: wire::uint(BREAKER),
        max_retries: wire::uint(RETRY_BREAKER),
        ..Default::default()
    };
    CircuitBreakers {
        thresholds: vec![thresholds],
        ..Default::default()
    }
}

fn protocol(http2: bool) -> HttpProtocolOptions {
    let config = if http2 {
        ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())
    } else {
        ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default())
    };
    HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions {
            idle_timeout: wire::seconds(IDLE_S),
            ..Default::default()
        }),
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(config),
        })),
        ..Default::default()
    }
}
