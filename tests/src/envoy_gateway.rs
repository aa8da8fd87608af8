//! Envoy Gateway: the real controller on a real API server, and the pod of its proxy, which runs the real Envoy with our agent
//! beside it. All of it is on this machine. There is no kubelet: what the controller's Deployment says of its containers is
//! carried out by [`ProxyPod`], in a folder of the test. Neither is there a cluster's DNS: the pods have a file of hosts.

mod controller;
mod pod_root;
mod proxy_pod;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub use proxy_pod::ProxyPod;

use crate::eventually;
use crate::kube::{ControlPlane, Guard, Objects};
use controller::Controller;

/// Where `cargo xtask test envoy-gateway` says that Envoy Gateway's program and definitions are.
const ASSETS: &str = "SEALGATE_ENVOY_GATEWAY";
/// The namespace of the controller and its proxies.
const NAMESPACE: &str = "envoy-gateway-system";
/// By what the controller marks what it makes for a Gateway.
const OWNER: &str = "gateway.envoyproxy.io/owning-gateway-name";
const START: Duration = Duration::from_secs(120);
/// In a cluster each pod has an address of its own; here nobody else may have these: of the controller xDS, its wasm server
/// and its health, of Envoy its admin interface, metrics and readiness, and a listener that a Gateway calls 443.
const PORTS: [u16; 7] = [18_000, 18_002, 8_081, ENVOY_ADMIN, 19_001, 19_003, HTTPS];
const ENVOY_ADMIN: u16 = 19_000;
/// Where Envoy listens for a Gateway's port 443: the controller adds 10,000 to what only root may take.
pub const HTTPS: u16 = 10_443;

/// A cluster with Envoy Gateway in it, and no proxy yet.
#[derive(Debug)]
pub struct GatewayCluster {
    // In the order in which they end.
    controller: Controller,
    _guard: Guard,
    plane: ControlPlane,
    folder: TempDir,
    /// Of the namespace `default`.
    pub objects: Objects,
}

impl GatewayCluster {
    /// Starts an API server with the definitions of Envoy Gateway's chart, and the controller with this in its configuration.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start(config: &Value) -> Result<Self> {
        for port in PORTS {
            let free = TcpListener::bind(("0.0.0.0", port));
            free.with_context(|| format!("port {port} is in use, and Envoy Gateway needs it"))?;
        }
        let plane = ControlPlane::start().await?;
        let objects = Objects::new(plane.client().await?, "default");
        let namespaces = [NAMESPACE, "default"]
            .map(|name| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n"));
        objects.apply(&namespaces.join("---\n")).await?;
        for definitions in texts(&asset("crds")?)? {
            objects.define(&definitions).await?;
        }
        let folder = tempfile::Builder::new()
            .prefix("sealgate-envoy-gateway")
            .tempdir()?;
        let own = folder.path().join("controller");
        let mut controller = Controller::new(&own, &plane.admin().kubeconfig, &objects, config).await?;
        let mut guard = Guard::start(folder.path())?;
        controller.daemon.start()?;
        guard.watch_over(controller.daemon.group().into_iter())?;
        controller.ready().await?;
        Ok(Self {
            controller,
            _guard: guard,
            plane,
            folder,
            objects,
        })
    }

    /// The pod of a Gateway's proxy, as the controller's Deployment has it now; nothing runs in it yet.
    ///
    /// # Errors
    /// The controller makes no such Deployment.
    pub async fn pod(&self, gateway: &str) -> Result<ProxyPod> {
        let owned = format!("{OWNER}={gateway}");
        let proxies = Objects::new(self.objects.client.clone(), NAMESPACE);
        let made = eventually("the proxy's Deployment is there", START, || async {
            let mut found = proxies.labelled("apps/v1", "Deployment", &owned).await?;
            found.pop().context("none yet")
        });
        let deployment = made.await.with_context(|| self.log())?;
        let template = &deployment.data["spec"]["template"];
        let folder = self.folder.path().join("proxy");
        ProxyPod::new(&folder, template, &proxies, &self.plane).await
    }

    /// Names an upstream that listens on this port of loopback.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn upstream(&self, name: &str, port: u16) -> Result<()> {
        // Envoy Gateway refuses loopback's own addresses, and this is one too.
        let text = format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: Backend\nmetadata: {{ name: {name} }}\n\
             spec: {{ endpoints: [ {{ ip: {{ address: 0.0.0.0, port: {port} }} }} ] }}\n"
        );
        self.objects.apply(&text).await.map(drop)
    }

    /// The last lines that the controller said.
    #[must_use]
    pub fn log(&self) -> String {
        self.controller.daemon.log_end()
    }
}

fn asset(name: &str) -> Result<PathBuf> {
    let folder = std::env::var_os(ASSETS)
        .with_context(|| format!("{ASSETS} is not set: run `cargo xtask test envoy-gateway`"))?;
    Ok(Path::new(&folder).join(name))
}

/// Of all files in a folder and those below it.
fn texts(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut texts(&path)?);
        } else {
            found.push(fs::read_to_string(&path)?);
        }
    }
    ensure!(!found.is_empty(), "nothing in {}", folder.display());
    Ok(found)
}
