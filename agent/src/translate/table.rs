//! The table of routes: its parts as extensions of their own (ECDS), and the listener that makes each worker read them.
//!
//! Plugins with the same virtual machine share it, so one plugin may read what another one decides by. The parts' plugins
//! stand in a listener that binds no port and never serves anybody: a worker holds the table once, however many chains a
//! port has, and a change replaces the one part that it is in.

use std::path::Path;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, http_connection_manager::RouteSpecifier,
};
use envoy_types::pb::google::protobuf::BytesValue;
use prost::Message as _;
use sealgate_core::table::{EntryValue, PARTS, TableEntry, encode_part};
use sealgate_model::resolve::TablePart;

use super::connection_manager::{discovered, router};
use super::filter_config::extension;
use super::wire;
use crate::snapshot::Resource;
use crate::valid::{Packer, Violation};

/// The listener that holds the table. Its name comes before all others (`gateway-PORT`): a proxy asks for the parts before
/// it asks for anything of a listener that serves.
pub(super) const LISTENER: &str = "gateway-0-table";
/// It is not bound; only it may have this address.
pub(super) const ADDRESS: (&str, u16) = ("127.255.255.254", 1);

/// The name of a part; those of ports' filters (`sealgate-PORT`) come after all of them.
pub(super) fn name(part: u16) -> String {
    format!("sealgate-0-table-{part:02}")
}

/// The part that has this name.
pub(super) fn part_of_name(name: &str) -> Option<u16> {
    name.strip_prefix("sealgate-0-table-")?.parse().ok()
}

/// A part; one that nothing belongs to is a part too.
pub(super) fn resource(index: u16, part: Option<&TablePart>, module: &Path) -> Result<Resource, Violation> {
    let entries = part.into_iter().flat_map(entries);
    // Every entry is of its own part, and there once: that is how the parts are kept.
    let bytes = encode_part(index, entries).unwrap_or_else(|error| {
        tracing::error!(index, %error, "cannot build a part of the routing table: its hosts answer 503");
        Vec::new()
    });
    let packer = Packer::checking();
    let configuration = packer.any(&BytesValue { value: bytes });
    extension(&name(index), configuration, module, packer)
}

fn entries(part: &TablePart) -> impl Iterator<Item = TableEntry<'_>> {
    let routes = part.routes.iter().filter_map(|((port, domain), block)| {
        Some(TableEntry {
            port: *port,
            domain,
            value: EntryValue::Host(block.encoded.as_ref()?),
        })
    });
    let demands = part.demands.iter().map(|((port, domain), demand)| TableEntry {
        port: *port,
        domain,
        value: EntryValue::Demand {
            server: &demand.server,
            policy: demand.policy.as_deref(),
        },
    });
    routes.chain(demands)
}

/// What the listener would bind.
pub(super) fn address() -> String {
    format!("{}:{}", ADDRESS.0, ADDRESS.1)
}

/// See the module.
pub(super) fn listener() -> Result<Resource, Violation> {
    let packer = Packer::checking();
    let manager = HttpConnectionManager {
        stat_prefix: LISTENER.to_owned(),
        http_filters: (0..PARTS)
            .map(|part| discovered(&name(part)))
            .chain([router(&packer)])
            .collect(),
        route_specifier: Some(RouteSpecifier::RouteConfig(RouteConfiguration {
            name: LISTENER.to_owned(),
            ..RouteConfiguration::default()
        })),
        ..HttpConnectionManager::default()
    };
    let manager = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(packer.any(&manager))),
    };
    let listener = Listener {
        name: LISTENER.to_owned(),
        stat_prefix: LISTENER.to_owned(),
        address: Some(wire::tcp(ADDRESS.0, ADDRESS.1)),
        bind_to_port: wire::no(),
        traffic_direction: TrafficDirection::Inbound.into(),
        filter_chains: vec![FilterChain {
            filters: vec![manager],
            ..FilterChain::default()
        }],
        ..Listener::default()
    };
    packer.check(&listener);
    packer.verdict()?;
    Ok(Resource::new(listener.encode_to_vec()))
}
