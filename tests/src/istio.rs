//! Istio's ingress gateway: the real istiod on a real API server, and a pod of the real pilot-agent, which runs the real
//! Envoy, with our agent beside it. All of it on loopback. There is no kubelet: what the gateway's Deployment says of its
//! containers is carried out by [`Pod`], in a folder of the test.

mod deployment;
mod istiod;
mod pod;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

pub use pod::Pod;

use crate::kube::{ControlPlane, Guard, Objects};
use crate::site::{free_port, program};
use deployment::Deployment;
use istiod::Istiod;

/// Where `cargo xtask test istio` says that Istio's programs and files are.
const ASSETS: &str = "SEALGATE_ISTIO";
/// The namespace of Istio, of its gateway and of our agent.
pub const NAMESPACE: &str = "istio-system";
/// As Istio's manifests name the gateway.
const GATEWAY: &str = "istio-ingressgateway";
const ACCOUNT: &str = "istio-ingressgateway-service-account";
const START: Duration = Duration::from_secs(120);

/// A cluster with Istio in it, and no gateway yet.
#[derive(Debug)]
pub struct Mesh {
    // In the order in which they end.
    istiod: Istiod,
    _guard: Guard,
    plane: ControlPlane,
    folder: TempDir,
    /// Of Istio's namespace.
    pub objects: Objects,
    /// Where the gateway listens for what its Service calls 443.
    pub https: u16,
    /// Where the gateway listens for what its Service calls 80.
    pub http: u16,
}

impl Mesh {
    /// Starts an API server with Istio's definitions and its gateway's objects, and istiod on it with more of its mesh
    /// configuration, as Helm's values of istiod say it.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start(values: &Value) -> Result<Self> {
        let plane = ControlPlane::start().await?;
        let objects = Objects::new(plane.client().await?, NAMESPACE);
        let namespaces = [NAMESPACE, "default"]
            .map(|name| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n"));
        objects.apply(&namespaces.join("---\n")).await?;
        objects.define(&asset_text("crds.yaml")?).await?;
        let folder = tempfile::Builder::new().prefix("sealgate-istio").tempdir()?;
        let (https, http) = (free_port()?, free_port()?);
        objects.create(&gateway_of_istio(https, http)).await?;
        let mut istiod = Istiod::new(folder.path(), &plane.admin().kubeconfig, values)?;
        let mut guard = Guard::start(folder.path())?;
        istiod.daemon.start()?;
        guard.watch_over(istiod.daemon.group().into_iter())?;
        istiod.ready().await?;
        Ok(Self {
            istiod,
            _guard: guard,
            plane,
            folder,
            objects,
            https,
            http,
        })
    }

    /// The gateway's pod, as its Deployment has it now; nothing runs in it yet.
    ///
    /// # Errors
    /// The Deployment is not what it should be.
    pub async fn pod(&self) -> Result<Pod> {
        let account = self.plane.service_account(NAMESPACE, ACCOUNT).await?;
        let named = format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {GATEWAY} }}\n");
        let found = self.objects.get(&named).await?.pop().context("no Deployment")?;
        let deployment = Deployment::read(&found.data)?;
        let folder = self.folder.path().join("pod");
        Pod::new(&folder, self.istiod.grpc, &account.kubeconfig, deployment)
    }

    /// What `sealgate istio` prints for these objects.
    ///
    /// # Errors
    /// It refuses.
    pub fn manifests(&self, form: &[&str], objects: &str) -> Result<String> {
        let path = self.folder.path().join("objects.yaml");
        fs::write(&path, objects)?;
        printed(&[form, &["-f", &path.display().to_string()]].concat())
    }

    /// The ports of the pod behind those of its Service, as `sealgate istio` takes them.
    #[must_use]
    pub fn port_map(&self) -> String {
        format!("--port-map=443={},80={}", self.https, self.http)
    }

    /// A folder that the gateway's pod sees at the same path.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Names a service that listens on this port of loopback.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn upstream(&self, host: &str, port: u16) -> Result<()> {
        let name = host.replace('.', "-");
        let text = format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n\
             metadata: {{ name: {name}, namespace: default }}\n\
             spec:\n  hosts: [{host}]\n  resolution: STATIC\n  location: MESH_EXTERNAL\n  \
             ports: [{{ number: 80, name: http, protocol: HTTP, targetPort: {port} }}]\n  \
             endpoints: [{{ address: 127.0.0.1 }}]\n"
        );
        self.objects.apply(&text).await.map(drop)
    }

    /// The last lines that istiod said.
    #[must_use]
    pub fn log(&self) -> String {
        self.istiod.daemon.log_end()
    }
}

/// What `sealgate istio` prints with these arguments.
///
/// # Errors
/// It refuses.
pub fn printed(arguments: &[&str]) -> Result<String> {
    let output = Command::new(program("SEALGATE_BIN")?)
        .arg("istio")
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "sealgate istio {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// As Istio's chart makes them, but for the ports. There are no pods here: istiod takes a proxy for one of this Service's by
/// its labels.
fn gateway_of_istio(https: u16, http: u16) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{ name: {GATEWAY} }}
spec:
  selector: {{ app: {GATEWAY}, istio: ingressgateway }}
  ports:
  - {{ name: http2, port: 80, targetPort: {http} }}
  - {{ name: https, port: 443, targetPort: {https} }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {GATEWAY} }}
spec:
  selector: {{ matchLabels: {{ app: {GATEWAY}, istio: ingressgateway }} }}
  template:
    metadata: {{ labels: {{ app: {GATEWAY}, istio: ingressgateway }} }}
    spec:
      serviceAccountName: {ACCOUNT}
      containers: [ {{ name: istio-proxy, image: auto }} ]
"
    )
}

fn asset(name: &str) -> Result<PathBuf> {
    let folder = std::env::var_os(ASSETS)
        .with_context(|| format!("{ASSETS} is not set: run `cargo xtask test istio`"))?;
    Ok(Path::new(&folder).join(name))
}

fn asset_text(name: &str) -> Result<String> {
    let path = asset(name)?;
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}
