//! The page's manifests, and what a reader adds to them.

use anyhow::{Context as _, Result};
use sealgate_tests::envoy_gateway::GatewayCluster;
use sealgate_tests::shown::ShownManifests;
use serde_json::Value;

/// The Gateway that all of the page is about.
pub(crate) const GATEWAY: &str = "my-gateway";
/// As Envoy Gateway's own introduction makes it.
const CLASS: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: eg }
spec: { controllerName: gateway.envoyproxy.io/gatewayclass-controller }
";
const PAGE: &str = "journeys/envoy-gateway.md";

pub(crate) struct Page {
    pub(crate) cluster: GatewayCluster,
    shown: ShownManifests,
}

impl Page {
    /// Envoy Gateway, configured as the page says.
    pub(crate) async fn start() -> Result<Self> {
        let shown = ShownManifests::read(PAGE)?;
        let own = Self {
            cluster: GatewayCluster::start(&shown.first("EnvoyGateway")?).await?,
            shown,
        };
        own.apply(CLASS).await?;
        Ok(own)
    }

    /// The manifests of a kind.
    pub(crate) fn of(&self, kind: &str) -> Result<Vec<Value>> {
        self.shown.of(kind)
    }

    /// The first of them.
    pub(crate) fn first(&self, kind: &str) -> Result<Value> {
        self.shown.first(kind)
    }

    /// Applies the manifests of these kinds, as they stand.
    pub(crate) async fn apply_kinds(&self, kinds: &[&str]) -> Result<()> {
        for kind in kinds {
            for manifest in self.of(kind)? {
                self.apply(&manifest.to_string()).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn apply(&self, text: &str) -> Result<()> {
        self.cluster.objects.apply(text).await.map(drop)
    }

    /// The reader's own route: all paths of a host lead to an upstream.
    pub(crate) async fn route(&self, upstream: &str, host: &str) -> Result<()> {
        let name = host.replace('.', "-");
        self.apply(&format!(
            "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{ name: {name} }}
spec:
  parentRefs: [ {{ name: {GATEWAY} }} ]
  hostnames: [ {host} ]
  rules: [ {{ backendRefs: [ {{ group: gateway.envoyproxy.io, kind: Backend, name: {upstream} }} ] }} ]
"
        ))
        .await
    }

    /// What the API server has by now of an object, for a failure.
    pub(crate) async fn status(&self, manifest: &Value) -> Result<Value> {
        let found = self.cluster.objects.get(&manifest.to_string()).await?;
        Ok(found.into_iter().next().context("none")?.data["status"].clone())
    }
}
