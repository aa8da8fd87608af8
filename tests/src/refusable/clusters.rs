//! Clusters, each with one part that Envoy rejects.

use envoy_types::pb::envoy::config::core::v3::Address;
use envoy_types::pb::google::protobuf::Duration as Span;

use super::{ClusterParts, Spoiled, endpoint, number, tcp};

/// A change of each, and the result of our checks.
pub const CLUSTERS: &[Spoiled<ClusterParts>] = &[
    (
        "duration",
        |parts| parts.cluster.connect_timeout = Some(Span::default()),
        "connect_timeout: more than 0 s",
    ),
    (
        "enum",
        |parts| parts.cluster.lb_policy = 99,
        "lb_policy: 99 is not a value of this enum",
    ),
    (
        "wrapped-number",
        |parts| parts.http2.max_concurrent_streams = number(0),
        "HttpProtocolOptions.explicit_http_config.http2_protocol_options.max_concurrent_streams: at least 1",
    ),
    (
        "number",
        |parts| parts.endpoint = endpoint(tcp("127.0.0.1", 70_000)),
        "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value: at most 65535",
    ),
    (
        "text",
        |parts| parts.endpoint = endpoint(tcp("", 80)),
        "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.address: at least 1 characters",
    ),
    (
        "one-of-several",
        |parts| parts.endpoint = endpoint(Some(Address::default())),
        "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.address: it is missing",
    ),
    (
        "weight",
        |parts| parts.endpoint.load_balancing_weight = number(0),
        "load_assignment.endpoints[0].lb_endpoints[0].load_balancing_weight: at least 1",
    ),
    (
        "one-of-several-in-an-extension",
        |parts| parts.protocol.upstream_protocol_options = None,
        "HttpProtocolOptions.upstream_protocol_options: it is missing",
    ),
];
