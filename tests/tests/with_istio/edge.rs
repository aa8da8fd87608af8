//! The setup of all tests here: Istio, its gateway, and requests to it.

use anyhow::Result;
use sealgate_tests::front::Front;
use sealgate_tests::istio::Mesh;
use sealgate_tests::manifests::virtual_service;
use serde_json::Value;

pub(crate) struct Edge {
    pub(crate) mesh: Mesh,
    pub(crate) front: Front,
}

impl Edge {
    /// The mesh, with these values of Helm's; no pod yet.
    pub(crate) async fn prepare(values: &Value) -> Result<Self> {
        let mesh = Mesh::start(values).await?;
        Ok(Self {
            front: Front::new(mesh.https, mesh.http)?,
            mesh,
        })
    }

    /// A service `NAME.local` on this port.
    pub(crate) async fn upstream(&self, name: &str, port: u16) -> Result<()> {
        self.mesh.upstream(&format!("{name}.local"), port).await
    }

    /// A route of Istio's own, from a host to `NAME.local`.
    pub(crate) async fn route(&self, name: &str, host: &str) -> Result<()> {
        let rules = format!("  - route: [{{ destination: {{ host: {name}.local }} }}]\n");
        self.apply(&virtual_service(name, host, &rules)).await
    }

    pub(crate) async fn apply(&self, text: &str) -> Result<()> {
        self.mesh.objects.apply(text).await.map(drop)
    }
}
