//! One listener per port, one filter chain per TLS policy.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use envoy_types::pb::envoy::config::listener::v3::{
    self as envoy, Filter, FilterChainMatch, Listener, ListenerFilter, filter, listener_filter,
};
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;

use prost::Message as _;
use sealgate_core::arrival::PathNormalization;
use sealgate_model::resolved::{FilterChain, ServedPort};

use super::named::listener as name;
use super::{choice, connection_manager, identity, tls, wire};
use crate::snapshot::{Body, Resource};

/// What a connection may buffer in each direction: Envoy's edge guide.
const CONNECTION_BUFFER_BYTES: u32 = 32 * 1024;
/// A client that opens a connection and then says nothing, or stalls its handshake, is let go.
const HANDSHAKE_TIMEOUT_S: i64 = 15;

/// `Listener.filter_chains`.
const FILTER_CHAINS: u32 = 3;

/// The listener of a port.
pub(super) fn resource(port: &Arc<ServedPort>, listen: &str, paths: PathNormalization) -> Resource {
    Resource::encoded_later(Arc::new(Encoder {
        port: Arc::clone(port),
        listen: listen.to_owned(),
        paths,
    }))
}

struct Encoder {
    port: Arc<ServedPort>,
    listen: String,
    paths: PathNormalization,
}

/// The chains are written one after the other (parts of a message that follow each other are one message): thousands
/// of them as messages at once would be most of the agent's memory.
impl Body for Encoder {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        let Self { port, listen, paths } = self;
        sink(&build(port, listen).encode_to_vec());
        let mut part = Vec::new();
        if let Some(matcher) = choice::matcher(port) {
            prost::encoding::message::encode(choice::FIELD, &matcher, &mut part);
            sink(&part);
            part.clear();
        }
        for chain in &port.chains {
            prost::encoding::message::encode(FILTER_CHAINS, &filter_chain(port, chain, *paths), &mut part);
            sink(&part);
            part.clear();
        }
    }
}

/// All but the chains.
fn build(port: &ServedPort, listen: &str) -> Listener {
    let secure = port.chains.iter().any(|chain| chain.tls.is_some());
    Listener {
        name: name(port.number),
        stat_prefix: name(port.number),
        address: Some(wire::tcp(listen, port.bind)),
        listener_filters: if secure { vec![tls_inspector()] } else { Vec::new() },
        listener_filters_timeout: wire::seconds(HANDSHAKE_TIMEOUT_S),
        per_connection_buffer_limit_bytes: wire::uint(CONNECTION_BUFFER_BYTES),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..Default::default()
    }
}

fn filter_chain(port: &ServedPort, chain: &FilterChain, paths: PathNormalization) -> envoy::FilterChain {
    envoy::FilterChain {
        name: chain.name.to_string(),
        filter_chain_match: has_own_match(port, chain).then(|| FilterChainMatch {
            server_names: chain.server_names.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }),
        filters: identity::describing_filter(port, chain)
            .into_iter()
            .chain([http(port, chain, paths)])
            .collect(),
        transport_socket: tls::transport_socket(port.number, chain),
        transport_socket_connect_timeout: chain
            .tls
            .as_ref()
            .and_then(|_| wire::seconds(HANDSHAKE_TIMEOUT_S)),
        ..Default::default()
    }
}

/// Whether a chain says by itself which connections it takes.
fn has_own_match(port: &ServedPort, chain: &FilterChain) -> bool {
    !chain.server_names.is_empty() && !choice::is_needed(port)
}

fn http(port: &ServedPort, chain: &FilterChain, paths: PathNormalization) -> Filter {
    Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(wire::any(
            &connection_manager::build(port, chain, paths),
        ))),
    }
}

fn tls_inspector() -> ListenerFilter {
    ListenerFilter {
        name: "envoy.filters.listener.tls_inspector".to_owned(),
        config_type: Some(listener_filter::ConfigType::TypedConfig(wire::any(
            &TlsInspector::default(),
        ))),
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
        let mut whole = build(&port, "127.0.0.1");
        whole.filter_chains = port
            .chains
            .iter()
            .map(|chain| filter_chain(&port, chain, PathNormalization::Base))
            .collect();
        let encoded = resource(&Arc::new(port), "127.0.0.1", PathNormalization::Base).body();
        assert_eq!(Listener::decode(encoded.as_slice()), Ok(whole));
    }
}
