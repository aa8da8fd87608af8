//! The harness: the real Envoy, the agent, certificates, upstreams and load. Processes and folders end with the
//! value that holds them.

pub mod agreement;
mod any_sni;
pub mod bench;
pub mod beside;
pub mod by_hand;
pub mod client;
pub mod clients;
pub mod cluster;
pub mod corpus;
pub mod echo;
pub mod edge;
pub mod exhibition;
pub mod explain;
pub mod fake_api;
pub mod fields;
pub mod flavour;
pub mod handmade;
pub mod hello;
pub mod hostile;
pub mod kube;
pub mod load;
pub mod manifests;
pub mod memory;
pub mod module;
pub mod moody;
pub mod mutation;
pub mod pki;
pub mod raw;
pub mod recorder;
pub mod refusable;
pub mod scenario;
pub mod sds;
pub mod site;
pub mod spki_client;
pub mod store;
pub mod unchecked;
pub mod upstream;
pub mod walkthrough;
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
