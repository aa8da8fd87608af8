//! The version of HTTP towards an upstream, and how long its connections live.

use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as CommonOptions,
    UpstreamHttpProtocolOptions,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{
    HttpProtocolOptions,
    http_protocol_options::{
        ExplicitHttpConfig, UpstreamProtocolOptions, UseDownstreamHttpConfig,
        explicit_http_config::ProtocolConfig,
    },
};
use sealgate_model::resolved::{PoolLimits, UpstreamHttp, UpstreamPolicy, UpstreamTls, UpstreamTrust};

use super::wire;
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};

pub(super) fn options(http2: bool, policy: &UpstreamPolicy, limits: &EnvoyLimits) -> HttpProtocolOptions {
    let pool = &policy.pool;
    let idle = match pool.idle {
        Some(own) => wire::duration(own),
        None => wire::limit(limits.of(EnvoyLimit::UpstreamIdle)),
    };
    HttpProtocolOptions {
        common_http_protocol_options: Some(CommonOptions {
            idle_timeout: idle,
            max_connection_duration: pool.lifetime.and_then(wire::duration),
            max_requests_per_connection: pool.requests_per_connection.and_then(wire::uint),
            ..CommonOptions::default()
        }),
        upstream_http_protocol_options: policy.tls.as_ref().and_then(names),
        upstream_protocol_options: Some(version(http2, pool)),
        ..HttpProtocolOptions::default()
    }
}

fn version(http2: bool, pool: &PoolLimits) -> UpstreamProtocolOptions {
    let two = Http2ProtocolOptions {
        max_concurrent_streams: pool.streams.and_then(wire::uint),
        ..Http2ProtocolOptions::default()
    };
    let explicit = |config| {
        UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(config),
        })
    };
    match pool.version {
        Some(UpstreamHttp::Client) => {
            UpstreamProtocolOptions::UseDownstreamProtocolConfig(UseDownstreamHttpConfig {
                http_protocol_options: Some(Http1ProtocolOptions::default()),
                http2_protocol_options: Some(two),
                ..UseDownstreamHttpConfig::default()
            })
        }
        Some(UpstreamHttp::Two) => explicit(ProtocolConfig::Http2ProtocolOptions(two)),
        None if http2 => explicit(ProtocolConfig::Http2ProtocolOptions(two)),
        None => explicit(ProtocolConfig::HttpProtocolOptions(
            Http1ProtocolOptions::default(),
        )),
    }
}

/// If TLS has no server name, the request's host is used as SNI; and without other names, the certificate must have it,
/// as in Istio.
fn names(tls: &UpstreamTls) -> Option<UpstreamHttpProtocolOptions> {
    tls.sni.is_none().then(|| UpstreamHttpProtocolOptions {
        auto_sni: true,
        auto_san_validation: tls.subject_alt_names.is_empty() && is_checked(&tls.trust),
        ..UpstreamHttpProtocolOptions::default()
    })
}

/// Whether names in certificates are checked.
fn is_checked(trust: &UpstreamTrust) -> bool {
    matches!(trust, UpstreamTrust::Public | UpstreamTrust::Bundle(_))
}
