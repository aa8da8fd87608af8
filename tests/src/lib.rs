//! The harness: the real Envoy, the agent, certificates, upstreams and load. Processes and folders end with the
//! value that holds them.

#[cfg(feature = "full")]
pub mod agreement;
#[cfg(feature = "full")]
pub mod alone;
mod any_sni;
#[cfg(feature = "full")]
pub mod bench;
#[cfg(feature = "full")]
pub mod beside;
#[cfg(feature = "full")]
pub mod browser;
#[cfg(feature = "full")]
pub mod by_hand;
pub mod client;
#[cfg(feature = "full")]
pub mod clients;
#[cfg(feature = "full")]
pub mod cluster;
#[cfg(feature = "full")]
pub mod corpus;
#[cfg(feature = "full")]
pub mod echo;
#[cfg(feature = "full")]
pub mod edge;
#[cfg(feature = "full")]
pub mod envoy_gateway;
#[cfg(feature = "full")]
pub mod exhibition;
#[cfg(feature = "full")]
pub mod explain;
#[cfg(feature = "full")]
pub mod fake_api;
#[cfg(feature = "full")]
pub mod fake_istiod;
#[cfg(feature = "full")]
pub mod fields;
#[cfg(feature = "full")]
pub mod flavour;
#[cfg(feature = "full")]
pub mod front;
#[cfg(feature = "full")]
pub mod handmade;
#[cfg(feature = "full")]
pub mod hello;
#[cfg(feature = "full")]
pub mod hostile;
#[cfg(feature = "full")]
pub mod http3;
#[cfg(feature = "full")]
pub mod istio;
#[cfg(feature = "full")]
pub mod json_schema;
#[cfg(feature = "full")]
pub mod kube;
#[cfg(feature = "full")]
pub mod lines;
pub mod load;
pub mod manifests;
#[cfg(feature = "full")]
pub mod memory;
#[cfg(feature = "full")]
pub mod module;
#[cfg(feature = "full")]
pub mod moody;
#[cfg(feature = "full")]
pub mod mutation;
#[cfg(feature = "full")]
pub mod origin;
pub mod pki;
#[cfg(feature = "full")]
pub mod raw;
#[cfg(feature = "full")]
pub mod recorder;
#[cfg(feature = "full")]
pub mod refusable;
#[cfg(feature = "full")]
pub mod registry;
#[cfg(feature = "full")]
pub mod relay;
#[cfg(feature = "full")]
pub mod scenario;
#[cfg(feature = "full")]
pub mod sds;
#[cfg(feature = "full")]
pub mod shown;
pub mod site;
#[cfg(feature = "full")]
pub mod spki_client;
#[cfg(feature = "full")]
pub mod steady;
pub mod store;
#[cfg(feature = "full")]
pub mod unchecked;
pub mod upstream;
pub mod walkthrough;
#[cfg(feature = "full")]
pub mod wire;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Tries until it succeeds; the last failure is the error.
///
/// # Errors
/// It did not succeed within `limit`.
pub async fn eventually<T, F: Future<Output = Result<T>>>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() > deadline => bail!("{what}: not within {limit:?}: {error:#}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}
