//! The HTTP/3 listener of a port: on UDP, with the chains of the port that have HTTP/3. A chain handles requests as
//! over TCP, under the same names: its filter, counters and meaning are the same.

use envoy_types::pb::envoy::config::core::v3::{
    Http3ProtocolOptions, QuicKeepAliveSettings, QuicProtocolOptions, TrafficDirection, TransportSocket,
    transport_socket,
};
use envoy_types::pb::envoy::config::listener::v3::{self as envoy, Filter, Listener, UdpListenerConfig};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, http_connection_manager::CodecType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::quic::v3::QuicDownstreamTransport;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, TlsParameters, tls_parameters::TlsProtocol,
};
use sealgate_model::resolved::{FilterChain, ServedPort, Tls};

use super::connection_manager::{self, HttpSettings};
use super::{identity, named, tls, wire};
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};
use crate::valid::Packer;

/// A connection that receives nothing for this long is closed: this finds out when a client's machine has gone away,
/// like TCP keepalive.
const IDLE_S: i64 = 120;
/// While a request is open, the client is probed after this long, and then less and less often: otherwise, an idle
/// request would end with its connection, and routers on the way would forget it.
const FIRST_PROBE_S: i64 = 10;
const PROBE_S: i64 = 15;
/// The maximum that Envoy accepts.
const LARGEST_STREAM_WINDOW: u32 = 1 << 24;
const LARGEST_CONNECTION_WINDOW: u32 = 24 << 20;

/// Whether a port has such a listener.
pub(super) fn is_needed(port: &ServedPort) -> bool {
    port.chains.iter().any(|chain| chain.http3)
}

/// The address that it binds. UDP and TCP ports are independent.
pub(super) fn address(port: &ServedPort, listen: &str) -> String {
    format!("{listen}:{} (UDP)", port.bind)
}

/// All but the chains.
pub(super) fn build(port: &ServedPort, listen: &str, limits: &EnvoyLimits) -> Listener {
    let name = named::quic_listener(port.number);
    Listener {
        stat_prefix: name.clone(),
        name,
        address: Some(wire::udp(listen, port.bind)),
        udp_listener_config: Some(UdpListenerConfig {
            quic_options: Some(envoy::QuicProtocolOptions {
                quic_protocol_options: Some(flow(limits)),
                idle_timeout: wire::seconds(IDLE_S),
                crypto_handshake_timeout: wire::limit(limits.of(EnvoyLimit::Handshake)),
                ..Default::default()
            }),
            ..Default::default()
        }),
        per_connection_buffer_limit_bytes: wire::uint(limits.of(EnvoyLimit::ConnectionBuffer)),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..Default::default()
    }
}

/// What a client may send at a time: as much as over HTTP/2.
fn flow(limits: &EnvoyLimits) -> QuicProtocolOptions {
    let window = |limit, most: u32| wire::uint(limits.of(limit).min(most));
    QuicProtocolOptions {
        max_concurrent_streams: wire::uint(limits.of(EnvoyLimit::Http2Streams)),
        initial_stream_window_size: window(EnvoyLimit::Http2StreamWindow, LARGEST_STREAM_WINDOW),
        initial_connection_window_size: window(EnvoyLimit::Http2ConnectionWindow, LARGEST_CONNECTION_WINDOW),
        ..Default::default()
    }
}

/// None for a chain that does not terminate TLS, which has no HTTP/3.
pub(super) fn filter_chain(
    port: &ServedPort,
    chain: &FilterChain,
    settings: &HttpSettings,
    packer: &Packer,
) -> Option<envoy::FilterChain> {
    Some(envoy::FilterChain {
        name: chain.name.to_string(),
        filters: identity::describing_filter(port, chain, packer)
            .into_iter()
            .chain([http(port, chain, settings, packer)])
            .collect(),
        transport_socket: Some(transport_socket(chain.tls.as_deref()?, packer)),
        ..Default::default()
    })
}

fn http(port: &ServedPort, chain: &FilterChain, settings: &HttpSettings, packer: &Packer) -> Filter {
    let probes = QuicKeepAliveSettings {
        initial_interval: wire::seconds(FIRST_PROBE_S),
        max_interval: wire::seconds(PROBE_S),
    };
    let manager = HttpConnectionManager {
        codec_type: CodecType::Http3.into(),
        http2_protocol_options: None,
        http3_protocol_options: Some(Http3ProtocolOptions {
            quic_protocol_options: Some(QuicProtocolOptions {
                connection_keepalive: Some(probes),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..connection_manager::build(port, chain, settings, packer)
    };
    connection_manager::filter(&manager, packer)
}

fn transport_socket(tls: &Tls, packer: &Packer) -> TransportSocket {
    let only = TlsProtocol::TlSv13;
    let context = DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: Some(TlsParameters {
                tls_minimum_protocol_version: only.into(),
                tls_maximum_protocol_version: only.into(),
                ..Default::default()
            }),
            alpn_protocols: vec!["h3".to_owned()],
            ..tls::common_context(tls)
        }),
        ..Default::default()
    };
    let transport = QuicDownstreamTransport {
        downstream_tls_context: Some(context),
        // A recorded 0-RTT request can be replayed by anyone; no server has asked for that.
        enable_early_data: wire::no(),
        ..Default::default()
    };
    TransportSocket {
        name: "envoy.transport_sockets.quic".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(packer.any(&transport))),
    }
}

#[cfg(test)]
mod tests;
