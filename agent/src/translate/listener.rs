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
use crate::snapshot::{Body, Measure, Resource};
use crate::valid::{ChainMatches, Packer, Validity, Violation};

/// What a connection may buffer in each direction: Envoy's edge guide.
const CONNECTION_BUFFER_BYTES: u32 = 32 * 1024;
/// A client that opens a connection and then says nothing, or stalls its handshake, is let go.
const HANDSHAKE_TIMEOUT_S: i64 = 15;

/// `Listener.filter_chains`.
const FILTER_CHAINS: u32 = 3;

/// The listener of a port.
pub(super) fn resource(
    port: &Arc<ServedPort>,
    listen: &str,
    paths: PathNormalization,
) -> Result<Resource, Violation> {
    let encoder = Encoder {
        port: Arc::clone(port),
        listen: listen.to_owned(),
        paths,
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
    paths: PathNormalization,
}

/// The chains are written one after the other (parts of a message that follow each other are one message): thousands
/// of them as messages at once would be most of the agent's memory.
impl Body for Encoder {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        // It was good when it was made, and a packer that trusts finds nothing.
        let _ = self.write(Packer::trusting, sink);
    }
}

impl Encoder {
    /// Writes it, and stops at what Envoy would refuse.
    fn write(&self, packer: fn() -> Packer, sink: &mut dyn FnMut(&[u8])) -> Validity {
        let Self { port, listen, paths } = self;
        let (own, mut part) = (packer(), Vec::new());
        let listener = build(port, listen, &own);
        own.check(&listener);
        sink(&listener.encode_to_vec());
        let matcher = choice::matcher(port, &own);
        own.verdict()?;
        if let Some(matcher) = &matcher {
            prost::encoding::message::encode(choice::FIELD, matcher, &mut part);
            sink(&part);
            part.clear();
        }
        let mut matches = ChainMatches::default();
        for (at, chain) in port.chains.iter().enumerate() {
            let own = packer();
            let chain = filter_chain(port, chain, *paths, &own);
            own.check(&chain);
            if matcher.is_none() {
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

/// All but the chains.
fn build(port: &ServedPort, listen: &str, packer: &Packer) -> Listener {
    let secure = port.chains.iter().any(|chain| chain.tls.is_some());
    Listener {
        name: name(port.number),
        stat_prefix: name(port.number),
        address: Some(wire::tcp(listen, port.bind)),
        listener_filters: if secure {
            vec![tls_inspector(packer)]
        } else {
            Vec::new()
        },
        listener_filters_timeout: wire::seconds(HANDSHAKE_TIMEOUT_S),
        per_connection_buffer_limit_bytes: wire::uint(CONNECTION_BUFFER_BYTES),
        traffic_direction: TrafficDirection::Inbound.into(),
        ..Default::default()
    }
}

fn filter_chain(
    port: &ServedPort,
    chain: &FilterChain,
    paths: PathNormalization,
    packer: &Packer,
) -> envoy::FilterChain {
    envoy::FilterChain {
        name: chain.name.to_string(),
        filter_chain_match: has_own_match(port, chain).then(|| FilterChainMatch {
            server_names: chain.server_names.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }),
        filters: identity::describing_filter(port, chain, packer)
            .into_iter()
            .chain([http(port, chain, paths, packer)])
            .collect(),
        transport_socket: tls::transport_socket(port.number, chain, packer),
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

fn http(port: &ServedPort, chain: &FilterChain, paths: PathNormalization, packer: &Packer) -> Filter {
    Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(
            packer.any(&connection_manager::build(port, chain, paths, packer)),
        )),
    }
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
        let mut whole = build(&port, "127.0.0.1", &packer);
        whole.filter_chains = port
            .chains
            .iter()
            .map(|chain| filter_chain(&port, chain, PathNormalization::Base, &packer))
            .collect();
        let encoded = resource(&Arc::new(port), "127.0.0.1", PathNormalization::Base)
            .unwrap()
            .body();
        assert_eq!(Listener::decode(encoded.as_slice()), Ok(whole));
    }
}
