//! The routes of all ports as parts, each an extension of its own (ECDS), and the listener that makes every worker of
//! Envoy have them.
//!
//! The parts are configurations of filters that no request meets: all plugins of the module share one VM per worker, so
//! what these are told is known to those of the ports. Their listener binds no port. Its name, and theirs, come before
//! those of the ports: what is told in one answer is taken in its order, so a port never listens before the table is there.

use std::sync::Arc;

use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, Listener, filter};
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, http_connection_manager::RouteSpecifier,
};
use envoy_types::pb::google::protobuf::BytesValue;
use prost::Message as _;
use sealgate_core::table::{PARTS, encode_parts};

use super::model::Port;
use super::{Settings, connection_manager, filter_config, wire};
use crate::snapshot::{Body, Resource};

/// Comes before `gateway-`.
pub(super) const LISTENER: &str = "data-table";

fn part_name(index: u16) -> String {
    format!("sealgate-table-{index}")
}

/// Every part, with its name.
pub(super) fn parts(ports: &[Arc<Port>], settings: &Settings) -> Vec<(String, Resource)> {
    let parts = match encode_parts(ports.iter().map(|port| &port.table)) {
        Ok(parts) => parts,
        Err(error) => {
            // Whatever could be wrong with a rule was found when its object was validated.
            tracing::error!(%error, "the table cannot be made");
            Vec::new()
        }
    };
    let resource = |(index, part): (u16, Vec<u8>)| {
        let name = part_name(index);
        let body = Part {
            name: name.clone(),
            bytes: part,
            settings: settings.clone(),
        };
        (name, Resource::encoded_later(Arc::new(body)))
    };
    (0..).zip(parts).map(resource).collect()
}

struct Part {
    name: String,
    bytes: Vec<u8>,
    settings: Settings,
}

impl Body for Part {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        let configuration = wire::any(&BytesValue {
            value: self.bytes.clone(),
        });
        let extension = filter_config::plugin(&self.name, configuration, &self.settings.module);
        sink(&extension.encode_to_vec());
    }
}

/// The listener of the parts.
pub(super) fn listener() -> Listener {
    let filters = (0..PARTS).map(|index| connection_manager::discovered_filter(part_name(index)));
    let manager = HttpConnectionManager {
        stat_prefix: LISTENER.to_owned(),
        http_filters: filters.chain([connection_manager::router()]).collect(),
        route_specifier: Some(RouteSpecifier::RouteConfig(RouteConfiguration::default())),
        ..Default::default()
    };
    let http = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(wire::any(&manager))),
    };
    Listener {
        name: LISTENER.to_owned(),
        stat_prefix: LISTENER.to_owned(),
        // Nobody binds it, so no other listener is in its way. A socket of a path would be bound all the same.
        address: Some(wire::tcp("127.0.0.1", 0)),
        bind_to_port: wire::no(),
        filter_chains: vec![FilterChain {
            filters: vec![http],
            ..Default::default()
        }],
        ..Default::default()
    }
}
