//! Translates state into xDS resources, without side effects: equal input gives equal bytes.

mod access_log;
mod alt_svc;
pub mod borrowed;
mod choice;
mod cluster;
mod connection_manager;
mod endpoint;
mod fault;
mod filter_config;
pub mod identity;
mod listener;
mod named;
mod on_demand;
mod public_ca;
mod quic;
mod routes;
mod secret;
mod stream;
mod table;
mod tls;
mod wire;
mod withheld;

use std::path::PathBuf;
use std::sync::Arc;

use sealgate_core::table::PARTS;
use sealgate_model::CredentialName;
use sealgate_model::resolve::{Changes, Resolver};
use sealgate_model::resolved::{EndpointSource, ServedPort, Upstream};

use self::connection_manager::HttpSettings;
use self::listener::Transport;
use crate::credential::Credential;
use crate::public_ca::PublicCa;
use crate::snapshot::{Draft, ResourceKey, TypeUrl};

pub use self::withheld::Withheld;

/// What the translation needs besides the objects.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which gateway this is.
    pub gateway: crate::config::GatewaySettings,
    /// The address that listeners bind.
    pub listen: String,
    /// The filter's module, at a path that Envoy can read.
    pub module: PathBuf,
}

/// What a resource was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made<'n> {
    /// A credential, by namespace and name.
    Credential(&'n str, &'n str),
    /// A destination, by its cluster's name.
    Upstream(&'n str),
    /// A part of the routing table.
    Part(u16),
    /// A port.
    Port(u16),
    /// Where the connections of a filter chain go, by its port and name.
    Stream(u16, &'n str),
}

/// What the resource of this name was made from, if it is one of ours.
#[must_use]
pub fn made_of(kind: TypeUrl, name: &str) -> Option<Made<'_>> {
    match kind {
        TypeUrl::Secret => name
            .split_once('/')
            .map(|(namespace, name)| Made::Credential(namespace, name)),
        TypeUrl::Cluster | TypeUrl::Endpoint => Some(Made::Upstream(name)),
        TypeUrl::ExtensionConfig => table::part_of_name(name)
            .map(Made::Part)
            .or_else(|| filter_config::port_of_name(name).map(Made::Port))
            .or_else(|| stream::chain_of_name(name).map(|(port, chain)| Made::Stream(port, chain))),
        TypeUrl::Listener => named::port_of_listener(name).map(Made::Port),
    }
}

/// The changed resources that are made from many objects. Where a filter chain's connections go comes from a single
/// object.
#[must_use]
pub fn composites(changes: &Changes) -> Vec<ResourceKey> {
    let extension = |name: String| (TypeUrl::ExtensionConfig, name.into());
    let parts = changes.parts.iter().map(|part| extension(table::name(*part)));
    let ports = changes.ports.iter().flat_map(|port| {
        let listener = |name: String| (TypeUrl::Listener, name.into());
        [
            listener(named::listener(*port)),
            listener(named::quic_listener(*port)),
            extension(filter_config::name(*port)),
        ]
    });
    parts.chain(ports).collect()
}

/// Puts a credential into the snapshot; returns whether that changed it.
pub fn publish_credential(
    draft: &mut Draft<'_>,
    withheld: &mut Withheld,
    name: &CredentialName,
    credential: Option<&Arc<Credential>>,
) -> bool {
    let name = name.to_string();
    let before = draft.version(TypeUrl::Secret, &name);
    match credential {
        Some(credential) => withheld.offer(draft, TypeUrl::Secret, &name, secret::resource(credential)),
        None => withheld.remove(draft, TypeUrl::Secret, &name),
    }
    draft.version(TypeUrl::Secret, &name) != before
}

/// Puts all other changes into the snapshot.
pub fn publish(
    draft: &mut Draft<'_>,
    withheld: &mut Withheld,
    resolver: &Resolver,
    changes: &Changes,
    settings: &Settings,
) {
    for name in &changes.clusters {
        publish_cluster(draft, withheld, name, resolver.upstream(name), settings);
    }
    for part in &changes.parts {
        let resource = table::resource(*part, resolver.part(*part), &settings.module);
        withheld.offer(draft, TypeUrl::ExtensionConfig, &table::name(*part), resource);
    }
    for key in &changes.names {
        let secret = resolver.names().get(key).map(|name| name.to_string().into());
        draft.set_name(&key.0, &key.1, secret);
    }
    for key in &changes.streams {
        let name = stream::name(key.0, &key.1);
        match stream::resource(key, resolver.stream(key), &settings.gateway.limits) {
            Some(resource) => withheld.offer(draft, TypeUrl::ExtensionConfig, &name, resource),
            None => withheld.remove(draft, TypeUrl::ExtensionConfig, &name),
        }
    }
    for number in &changes.ports {
        publish_port(draft, withheld, *number, resolver.port(*number), settings);
    }
    for number in withheld.take_waiting() {
        publish_port(draft, withheld, number, resolver.port(number), settings);
    }
}

/// Publishes the public authorities, for clusters whose upstreams have certificates from them.
pub fn publish_public_ca(draft: &mut Draft<'_>, withheld: &mut Withheld, ca: &PublicCa) {
    withheld.offer(draft, TypeUrl::Secret, public_ca::NAME, public_ca::resource(ca));
}

/// Publishes the listener with the table, and the table's empty parts: a filter is ready once it has all parts.
pub fn publish_table(draft: &mut Draft<'_>, withheld: &mut Withheld, settings: &Settings) {
    for part in 0..PARTS {
        let resource = table::resource(part, None, &settings.module);
        withheld.offer(draft, TypeUrl::ExtensionConfig, &table::name(part), resource);
    }
    withheld.offer_listener(draft, table::LISTENER, table::address(), table::listener);
}

fn publish_cluster(
    draft: &mut Draft<'_>,
    withheld: &mut Withheld,
    name: &str,
    upstream: Option<&Arc<Upstream>>,
    settings: &Settings,
) {
    let Some(upstream) = upstream else {
        withheld.remove(draft, TypeUrl::Cluster, name);
        return withheld.remove(draft, TypeUrl::Endpoint, name);
    };
    withheld.offer(
        draft,
        TypeUrl::Cluster,
        name,
        cluster::resource(upstream, &settings.gateway.limits),
    );
    match upstream.endpoints.source {
        EndpointSource::Pushed => {
            let assignment = endpoint::resource(name, &upstream.endpoints.groups);
            withheld.offer(draft, TypeUrl::Endpoint, name, assignment);
        }
        EndpointSource::Dns | EndpointSource::RoundRobinDns => {
            withheld.remove(draft, TypeUrl::Endpoint, name)
        }
    }
}

fn publish_port(
    draft: &mut Draft<'_>,
    withheld: &mut Withheld,
    number: u16,
    port: Option<&Arc<ServedPort>>,
    settings: &Settings,
) {
    let (filter, listener) = (filter_config::name(number), named::listener(number));
    let quic = named::quic_listener(number);
    let Some(port) = port else {
        withheld.remove(draft, TypeUrl::ExtensionConfig, &filter);
        withheld.remove(draft, TypeUrl::Listener, &quic);
        return withheld.remove(draft, TypeUrl::Listener, &listener);
    };
    let config = filter_config::resource(port, &settings.module);
    withheld.offer(draft, TypeUrl::ExtensionConfig, &filter, config);
    let http = HttpSettings {
        paths: settings.gateway.paths,
        limits: settings.gateway.limits,
        keeps_peer_metadata: settings.gateway.keep_peer_metadata,
    };
    let address = listener::address(port, &settings.listen);
    withheld.offer_listener(draft, &listener, address, || {
        listener::resource(port, &settings.listen, http, Transport::Tcp)
    });
    if quic::is_needed(port) {
        let address = quic::address(port, &settings.listen);
        withheld.offer_listener(draft, &quic, address, || {
            listener::resource(port, &settings.listen, http, Transport::Quic)
        });
    } else {
        withheld.remove(draft, TypeUrl::Listener, &quic);
    }
}
