//! The lower bound for pushes: the same server and Envoy, fed in this process at a known time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use sealgate_agent::config::GatewaySettings;
use sealgate_agent::demand::CredentialDemand;
use sealgate_agent::engine::Engine;
use sealgate_agent::scope::Scope;
use sealgate_agent::source::directory::DirectorySource;
use sealgate_agent::translate::Settings;
use sealgate_agent::xds::{self, proxies::Proxies, socket};
use sealgate_model::SourceEvent;
use sealgate_model::manifest::Namespaces;
use tempfile::TempDir;

use super::shown;
use crate::client::Tls;
use crate::manifests::gateway;
use crate::pki::Leaf;
use crate::site::{Envoy, free_port};

const NAMESPACE: &str = "istio-system";
const SECRET: &str = "aliyun-com";
const HOST: &str = "a.aliyun.com";

/// An engine of our own, and the Envoy that it feeds.
#[derive(Debug)]
pub struct Floor {
    engine: Engine,
    port: u16,
    _envoy: Envoy,
    folder: TempDir,
}

impl Floor {
    /// Starts it; `first` is served.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(first: &Leaf) -> Result<Self> {
        let folder = TempDir::new()?;
        let (port, admin) = (free_port()?, free_port()?);
        let module = std::env::var("SEALGATE_BIN")
            .map(|agent| Path::new(&agent).with_file_name("sealgate_agent_filter.wasm"))?;
        let gateway_settings = GatewaySettings {
            port_map: [(443, port), (80, free_port()?)].into(),
            ..GatewaySettings::new(NAMESPACE)
        };
        let (mut engine, snapshots) = Engine::new(Settings {
            gateway: gateway_settings,
            listen: "127.0.0.1".to_owned(),
            module,
        });
        let path = folder.path().join("xds.sock");
        let bound = socket::bind(&socket::SocketConfig {
            path: path.clone(),
            mode: 0o600,
            group: None,
        })?;
        let options = xds::Options {
            namespace: NAMESPACE.to_owned(),
            demand: CredentialDemand::default(),
            drain: Duration::ZERO,
            scope: Scope::All,
        };
        let stop = std::future::pending();
        tokio::spawn(xds::serve(bound, snapshots, Proxies::default(), options, stop));
        let bootstrap = std::process::Command::new(std::env::var("SEALGATE_BIN")?)
            .args(["bootstrap", "--admin-port", &admin.to_string(), "--socket"])
            .arg(&path)
            .output()?;
        let objects = folder.path().join("objects");
        first.write(&objects.join(SECRET))?;
        fs::write(objects.join("gateway.yaml"), gateway(SECRET, ""))?;
        push(&mut engine, &objects)?;
        let envoy = Envoy::start(folder.path(), &String::from_utf8(bootstrap.stdout)?, admin).await?;
        Ok(Self {
            engine,
            port,
            _envoy: envoy,
            folder,
        })
    }

    /// From the push of a certificate until a handshake shows it.
    ///
    /// # Errors
    /// It is not shown.
    pub async fn rotate(&mut self, leaf: &Leaf, tls: &Tls) -> Result<Duration> {
        let objects = self.folder.path().join("objects");
        leaf.write(&objects.join(SECRET))?;
        let pushed = push(&mut self.engine, &objects)?;
        shown(self.port, HOST, leaf, tls).await?;
        Ok(pushed.elapsed())
    }
}

/// Everything is read before the measured time.
fn push(engine: &mut Engine, objects: &Path) -> Result<Instant> {
    let source = DirectorySource {
        root: objects.to_owned(),
        namespaces: Namespaces {
            gateway: NAMESPACE.to_owned(),
            other: "default",
        },
        settled: |_| true,
    };
    let entries = source.read_once()?;
    let now = Instant::now();
    engine.apply([SourceEvent::Reset(entries)], now);
    Ok(now)
}
