//! State to xDS resources: pure, and equal input gives equal bytes.

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
mod routes;
mod secret;
mod table;
mod tls;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use prost::Message;
use sealgate_core::table::PARTS;
use sealgate_model::CredentialName;
use sealgate_model::resolve::{Changes, Resolver};
use sealgate_model::resolved::{Endpoints, ServedPort, Upstream};

use crate::credential::Credential;
use crate::snapshot::{Draft, ResourceKey, TypeUrl};

/// What the translation needs besides the objects.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which gateway this is.
    pub gateway: crate::config::GatewaySettings,
    /// The address that listeners bind.
    pub listen: String,
    /// The filter's module, as Envoy can read it.
    pub module: PathBuf,
}

/// What a resource was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made<'n> {
    /// A credential, by namespace and name.
    Credential(&'n str, &'n str),
    /// A destination, by its cluster.
    Upstream(&'n str),
    /// A part of the table.
    Part(u16),
    /// A port.
    Port(u16),
}

/// What the resource of this name was made of, if it is one of ours.
#[must_use]
pub fn made_of(kind: TypeUrl, name: &str) -> Option<Made<'_>> {
    match kind {
        TypeUrl::Secret => name
            .split_once('/')
            .map(|(namespace, name)| Made::Credential(namespace, name)),
        TypeUrl::Cluster | TypeUrl::Endpoint => Some(Made::Upstream(name)),
        TypeUrl::ExtensionConfig => table::part_of_name(name)
            .map(Made::Part)
            .or_else(|| filter_config::port_of_name(name).map(Made::Port)),
        TypeUrl::Listener => named::port_of_listener(name).map(Made::Port),
    }
}

/// The resources among what changed that are made of many objects.
#[must_use]
pub fn composites(changes: &Changes) -> Vec<ResourceKey> {
    let extension = |name: String| (TypeUrl::ExtensionConfig, name.into());
    let parts = changes.parts.iter().map(|part| extension(table::name(*part)));
    let ports = changes.ports.iter().flat_map(|port| {
        let listener = (TypeUrl::Listener, named::listener(*port).into());
        [listener, extension(filter_config::name(*port))]
    });
    parts.chain(ports).collect()
}

/// Puts a credential into the snapshot; says whether that moved it.
pub fn publish_credential(
    draft: &mut Draft<'_>,
    name: &CredentialName,
    credential: Option<&Arc<Credential>>,
) -> bool {
    let name = name.to_string();
    let before = draft.version(TypeUrl::Secret, &name);
    match credential {
        Some(credential) => draft.put(TypeUrl::Secret, &name, secret::resource(credential)),
        None => draft.remove(TypeUrl::Secret, &name),
    }
    draft.version(TypeUrl::Secret, &name) != before
}

/// Puts what changed of everything else into the snapshot.
pub fn publish(draft: &mut Draft<'_>, resolver: &Resolver, changes: &Changes, settings: &Settings) {
    for name in &changes.clusters {
        publish_cluster(draft, name, resolver.upstream(name));
    }
    for part in &changes.parts {
        draft.put(
            TypeUrl::ExtensionConfig,
            &table::name(*part),
            table::resource(*part, resolver.part(*part), &settings.module),
        );
    }
    for key in &changes.names {
        let secret = resolver.names().get(key).map(|name| name.to_string().into());
        draft.set_name(&key.0, &key.1, secret);
    }
    for number in &changes.ports {
        publish_port(draft, *number, resolver.port(*number), settings);
    }
}

/// The listener that holds the table, and the parts of it that nothing belongs to yet: a filter is ready once it has all.
pub fn publish_table(draft: &mut Draft<'_>, settings: &Settings) {
    for part in 0..PARTS {
        let resource = table::resource(part, None, &settings.module);
        draft.put(TypeUrl::ExtensionConfig, &table::name(part), resource);
    }
    draft.set(
        TypeUrl::Listener,
        table::LISTENER,
        table::listener().encode_to_vec(),
    );
}

fn publish_cluster(draft: &mut Draft<'_>, name: &str, upstream: Option<&Arc<Upstream>>) {
    let Some(upstream) = upstream else {
        draft.remove(TypeUrl::Cluster, name);
        return draft.remove(TypeUrl::Endpoint, name);
    };
    draft.set(TypeUrl::Cluster, name, cluster::build(upstream).encode_to_vec());
    match &upstream.endpoints {
        Endpoints::Known(endpoints) => {
            let assignment = endpoint::assignment(name, endpoints);
            draft.set(TypeUrl::Endpoint, name, assignment.encode_to_vec());
        }
        Endpoints::Dns(_) => draft.remove(TypeUrl::Endpoint, name),
    }
}

fn publish_port(draft: &mut Draft<'_>, number: u16, port: Option<&Arc<ServedPort>>, settings: &Settings) {
    let (filter, listener) = (filter_config::name(number), named::listener(number));
    let Some(port) = port else {
        draft.remove(TypeUrl::ExtensionConfig, &filter);
        return draft.remove(TypeUrl::Listener, &listener);
    };
    let config = filter_config::resource(port, &settings.module);
    draft.put(TypeUrl::ExtensionConfig, &filter, config);
    draft.put(
        TypeUrl::Listener,
        &listener,
        listener::resource(port, &settings.listen, settings.gateway.paths),
    );
}
