//! State to xDS resources: pure, and equal input gives equal bytes.

mod bind;
mod cluster;
mod connection_manager;
mod destination;
mod endpoint;
mod fault;
mod filter_config;
pub mod identity;
mod listener;
pub mod model;
mod routes;
mod secret;
mod table;
mod tls;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use prost::Message;

pub use bind::{Bound, bind};

use self::model::Endpoints;
use crate::credential::{Credential, CredentialName};
use crate::snapshot::{Draft, Resource, TypeUrl};

/// What the translation needs besides the objects.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which gateway this is.
    pub gateway: crate::config::Gateway,
    /// The address that listeners bind.
    pub listen: String,
    /// The filter's module, as Envoy can read it.
    pub module: PathBuf,
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

/// Puts everything else into the snapshot.
pub fn publish(draft: &mut Draft<'_>, bound: &Bound, settings: &Settings) {
    let encoded = |name: &str, message: Vec<u8>| (name.to_owned(), Resource::new(message));
    let clusters = bound
        .upstreams
        .iter()
        .map(|upstream| encoded(&upstream.name, cluster::build(upstream).encode_to_vec()));
    draft.replace(TypeUrl::Cluster, clusters);
    let endpoints = bound
        .upstreams
        .iter()
        .filter_map(|upstream| match &upstream.endpoints {
            Endpoints::Known(endpoints) => Some(encoded(
                &upstream.name,
                endpoint::assignment(&upstream.name, endpoints).encode_to_vec(),
            )),
            Endpoints::Dns(_) => None,
        });
    draft.replace(TypeUrl::Endpoint, endpoints);
    let parts = table::parts(&bound.ports, settings);
    let filters = bound.ports.iter().map(|port| {
        (
            filter_config::name(port),
            filter_config::resource(port, &settings.module),
        )
    });
    draft.replace(TypeUrl::ExtensionConfig, parts.into_iter().chain(filters));
    let listeners = bound
        .ports
        .iter()
        .map(|port| (listener::name(port), listener::resource(port, &settings.listen)));
    let data = encoded(table::LISTENER, table::listener().encode_to_vec());
    draft.replace(TypeUrl::Listener, [data].into_iter().chain(listeners));
}
