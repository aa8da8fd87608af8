//! One listener for each port, with one filter chain for each server with TLS, or for each host whose connections are
//! routed as a whole.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{SocketOption, TrafficDirection, socket_option};
use envoy_types::pb::envoy::config::listener::v3::{
    self as envoy, Filter, FilterChainMatch, Listener, ListenerFilter, listener_filter,
};
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;

use prost::Message as _;
use sealgate_model::resolved::{FilterChain, ServedPort, Traffic};

use super::connection_manager::{self, HttpSettings};
use super::named::listener as name;
use super::{choice, identity, quic, stream, tls, wire};
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};
use crate::snapshot::{Body, Measure, Resource};
use crate::valid::{ChainMatches, Packer, Validity, Violation};

/// Linux's socket options for TCP keepalive (`SOL_SOCKET`, `IPPROTO_TCP`).
const SOCKET: i64 = 1;
const KEEPALIVE: i64 = 9;
const TCP: i64 = 6;
const KEEPALIVE_IDLE: i64 = 4;
const KEEPALIVE_INTERVAL: i64 = 5;
const KEEPALIVE_COUNT: i64 = 6;
/// How many probes are sent to a machine that does not answer, and how many seconds apart.
const KEEPALIVE_PROBES: i64 = 4;
const KEEPALIVE_APART_S: i64 = 15;

/// `Listener.filter_chains`.
const FILTER_CHAINS: u32 = 3;

/// The transport of a listener.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// All chains.
    Tcp,
    /// The chains with HTTP/3.
    Quic,
}

/// The listener of a port.
pub(super) fn resource(
    port: &Arc<ServedPort>,
    listen: &str,
    http: HttpSettings,
    transport: Transport,
) -> Result<Resource, Violation> {
    let encoder = Encoder {
        port: Arc::clone(port),
        listen: listen.to_owned(),
        http,
        transport,
    };
    let mut measure = Measure::default();
    encoder.write(Packer::checking, &mut |part| measure.take(part))?;
    Ok(measure.resource(Arc::new(encoder)))
}

/// What the listener of a port binds.
pub(super) fn address(port: &ServedPort, listen: &str) -> String {
    format!("{listen}:{}", port.bind)
}

struct Encoder {
    port: Arc<ServedPort>,
    listen: String,
    http: HttpSettings,
    transport: Transport,
}

/// Writes the chains one by one (concatenated parts of a message are one message): as messages, thousands of them would
/// take most of the agent's memory.
impl Body for Encoder {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        // It was checked when it was made, and this packer does not check.
        let _ = self.write(Packer::trusting, sink);
    }
}

impl Encoder {
    /// Writes it, and stops at anything that Envoy would reject.
    fn write(&self, packer: fn() -> Packer, sink: &mut dyn FnMut(&[u8])) -> Validity {
        let Self {
            port,
            listen,
            http,
            transport,
        } = self;
        let (own, mut part) = (packer(), Vec::new());
        let listener = match transport {
            Transport::Tcp => build(port, listen, &http.limits, &own),
            Transport::Quic => quic::build(port, listen, &http.limits),
        };
        own.check(&listener);
        sink(&listener.encode_to_vec());
        let matcher = match transport {
            Transport::Tcp => choice::matcher(port, &own),
            Transport::Quic => choice::quic_matcher(port, &own),
        };
        own.verdict()?;
        if let Some(matcher) = &matcher {
            prost::encoding::message::encode(choice::FIELD, matcher, &mut part);
            sink(&part);
            part.clear();
        }
        let mut matches = ChainMatches::default();
        let chains = port.chains.iter();
        let chains = chains.filter(|chain| *transport == Transport::Tcp || chain.http3);
        for (at, chain) in chains.enumerate() {
            let own = packer();
            let chain = match transport {
                Transport::Tcp => Some(filter_chain(port, chain, http, &own)),
                Transport::Quic => quic::filter_chain(port, chain, http, &own),
            };
            let Some(chain) = chain else {
                continue;
            };
            own.check(&chain);
            if matcher.is_none() && *transport == Transport::Tcp {
                own.note(|| matches.add(&chain));
            }
            own.verdict()
                .map_err(|violation| violation.within(&format!("filter_chains[{at}]")))?;
            prost::encoding::message::encode(FILTER_CHAINS, &chain, &mut part);
            sink(&part);
            part.clear();
        }
        Ok(())
    }
}

/// Everything but the chains.
fn build(port: &ServedPort, listen: &str, limits: &EnvoyLimits, packer: &Packer) -> Listener {
    let secure = port.chains.iter().any(|chain| chain.policy.is_some());
    Listener {
        name: name(port.number),
        stat_prefix: name(port.number),
        address: Some(wire::tcp(listen, port.bind)),
        listener_filters: if secure {
            vec![tls_inspector(packer)]
        } else {
            Vec::new()
        },
        listener_filters_timeout: wire::limit(limits.of(EnvoyLimit::Handshake)),
        per_connection_buffer_limit_bytes: wire::uint(limits.of(EnvoyLimit::ConnectionBuffer)),
        socket_options: keepalive(limits.of(EnvoyLimit::Keepalive)),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..Default::default()
    }
}

fn filter_chain(
    port: &ServedPort,
    chain: &FilterChain,
    settings: &HttpSettings,
    packer: &Packer,
) -> envoy::FilterChain {
    envoy::FilterChain {
        name: chain.name.to_string(),
        filter_chain_match: has_own_match(port, chain).then(|| FilterChainMatch {
            server_names: chain.server_names.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }),
        filters: match chain.traffic {
            Traffic::Http => identity::describing_filter(port, chain, packer)
                .into_iter()
                .chain([http(port, chain, settings, packer)])
                .collect(),
            // A chain without filters closes its connections.
            Traffic::Closed => Vec::new(),
            Traffic::Stream => vec![stream::filter(port.number, &chain.name)],
        },
        transport_socket: tls::transport_socket(port.number, chain, packer),
        transport_socket_connect_timeout: chain
            .tls
            .as_ref()
            .and_then(|_| wire::limit(settings.limits.of(EnvoyLimit::Handshake))),
        ..Default::default()
    }
}

/// Whether a chain has its own match.
fn has_own_match(port: &ServedPort, chain: &FilterChain) -> bool {
    !chain.server_names.is_empty() && !choice::is_needed(port)
}

fn http(port: &ServedPort, chain: &FilterChain, settings: &HttpSettings, packer: &Packer) -> Filter {
    connection_manager::filter(&connection_manager::build(port, chain, settings, packer), packer)
}

/// Finds out when a client's machine has silently gone away: nothing else ends an idle request.
fn keepalive(seconds: u32) -> Vec<SocketOption> {
    if seconds == 0 {
        return Vec::new();
    }
    let option = |level, name, value| SocketOption {
        level,
        name,
        value: Some(socket_option::Value::IntValue(value)),
        ..Default::default()
    };
    vec![
        option(SOCKET, KEEPALIVE, 1),
        option(TCP, KEEPALIVE_IDLE, seconds.into()),
        option(TCP, KEEPALIVE_INTERVAL, KEEPALIVE_APART_S),
        option(TCP, KEEPALIVE_COUNT, KEEPALIVE_PROBES),
    ]
}

fn tls_inspector(packer: &Packer) -> ListenerFilter {
    ListenerFilter {
        name: "envoy.filters.listener.tls_inspector".to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(
            packer.any(&TlsInspector::default()),
        )),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sealgate_model::resolved::Meaning;

    use super::*;

    #[test]
    fn the_parts_are_one_message() {
        let chain = |name: &str| {
            Arc::new(FilterChain {
                name: name.into(),
                server_names: [name.into()].into(),
                ..FilterChain::plain(Meaning::default())
            })
        };
        let port = ServedPort {
            number: 80,
            bind: 8080,
            chains: vec![chain("a"), chain("b")],
            told: Vec::new(),
            demands: false,
            prefixes: BTreeSet::new(),
            mirrors: Vec::new(),
            delays: false,
        };
        let packer = Packer::checking();
        let mut whole = build(&port, "127.0.0.1", &EnvoyLimits::default(), &packer);
        whole.filter_chains = port
            .chains
            .iter()
            .map(|chain| filter_chain(&port, chain, &HttpSettings::default(), &packer))
            .collect();
        let encoded = resource(
            &Arc::new(port),
            "127.0.0.1",
            HttpSettings::default(),
            Transport::Tcp,
        )
        .unwrap()
        .body();
        assert_eq!(Listener::decode(encoded.as_slice()), Ok(whole));
    }
}
