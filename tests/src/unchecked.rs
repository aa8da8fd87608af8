//! A machine with only the agent's xDS server: what a test publishes reaches the real Envoy without any check.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sealgate_agent::demand::CredentialDemand;
use sealgate_agent::scope::Scope;
use sealgate_agent::snapshot::{Publisher, Snapshot};
use sealgate_agent::xds::proxies::Proxies;
use sealgate_agent::xds::socket::{SocketConfig, bind};
use sealgate_agent::xds::{self, Options};

use tokio::sync::watch;

use crate::site::Site;

const DRAIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Unchecked {
    /// The machine, without an agent.
    pub site: Site,
    /// What is served.
    pub publisher: Publisher,
    /// What Envoy says of it.
    pub proxies: Proxies,
}

impl Unchecked {
    /// Serves nothing yet, to an Envoy with this bootstrap.
    ///
    /// # Errors
    /// One of both does not start.
    pub async fn start(bootstrap: impl FnOnce(String, &Site) -> String) -> Result<Self> {
        let mut site = Site::prepare().await?;
        let (publisher, snapshots) = Publisher::new(Duration::ZERO);
        let proxies = Proxies::default();
        serve(&mut site, snapshots, &proxies, bootstrap).await?;
        Ok(Self {
            site,
            publisher,
            proxies,
        })
    }
}

/// Serves snapshots to an Envoy with this bootstrap.
///
/// # Errors
/// One of both does not start.
pub async fn serve(
    site: &mut Site,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    proxies: &Proxies,
    bootstrap: impl FnOnce(String, &Site) -> String,
) -> Result<()> {
    let options = Options {
        namespace: "ns".to_owned(),
        demand: CredentialDemand::default(),
        drain: DRAIN,
        scope: Scope::All,
    };
    let config = SocketConfig {
        path: site.socket(),
        mode: 0o600,
        group: None,
    };
    let socket = bind(&config).context("the socket")?;
    let never = std::future::pending();
    tokio::spawn(xds::serve(socket, snapshots, proxies.clone(), options, never));
    site.start_envoy(bootstrap).await
}
