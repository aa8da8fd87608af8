//! The routing table: its parts as separate extensions (ECDS), and the listener that makes each worker read them.
//!
//! Plugins with the same virtual machine share it, so one plugin can read what another one needs to decide. The parts'
//! plugins are in a listener that binds no port and never serves anything: a worker has the table once, however many
//! chains a port has, and a change replaces only the part that it is in.

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

/// The listener with the table. Its name sorts before all others (`gateway-PORT`), so that a proxy asks for the parts
/// before anything that other listeners need.
pub(super) const LISTENER: &str = "gateway-0-table";
/// It is not bound; no other listener may have this address.
pub(super) const ADDRESS: (&str, u16) = ("127.255.255.254", 1);

/// The name of a part; those of ports' filters (`sealgate-PORT`) sort after all of them.
pub(super) fn name(part: u16) -> String {
    format!("sealgate-0-table-{part:02}")
}

/// The part that has this name.
pub(super) fn part_of_name(name: &str) -> Option<u16> {
    name.strip_prefix("sealgate-0-table-")?.parse().ok()
}

/// A part, which may be empty.
pub(super) fn resource(index: u16, part: Option<&TablePart>, module: &Path) -> Result<Resource, Violation> {
    let entries = part.into_iter().flat_map(entries);
    // The parts are kept such that every entry belongs to its part and is there once.
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

/// The address that the listener would bind.
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
