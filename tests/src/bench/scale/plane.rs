//! An API server with the manifests of `envoy/kubernetes`, and an agent's permissions.

use std::net::UdpSocket;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams,
};
use serde_json::{Value, json};

use super::objects::{APPS, EDGE};
use crate::bench::secrets::Secrets;
use crate::cluster::{DEFINITIONS, RIGHTS};
use crate::kube::{ControlPlane, Objects};
use crate::pki::Leaf;

/// The account of the manifests.
const ACCOUNT: &str = "sealgate";
/// Requests at a time.
const AT_ONCE: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Plane {
    objects: Objects,
    secrets: Secrets,
    /// The agent's.
    pub(super) kubeconfig: PathBuf,
    /// An address of this machine that is allowed in an EndpointSlice, where loopback is not.
    pub(super) address: Option<String>,
    _plane: ControlPlane,
}

impl Plane {
    pub(super) async fn start() -> Result<Self> {
        let plane = ControlPlane::start().await?;
        let objects = Objects::new(plane.client().await?, APPS);
        for namespace in [APPS, EDGE] {
            let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {namespace} }}\n");
            objects.apply(&text).await?;
        }
        objects.define(DEFINITIONS).await?;
        objects.apply(RIGHTS).await?;
        let agent = plane.service_account(EDGE, ACCOUNT).await?;
        Ok(Self {
            secrets: Secrets::new(objects.client.clone(), EDGE),
            objects,
            kubeconfig: agent.kubeconfig,
            address: own_address(),
            _plane: plane,
        })
    }

    pub(super) async fn create(&self, objects: Vec<Value>) -> Result<()> {
        let create = |object| async move {
            let (api, name, object) = self.resolve(object)?;
            let created = api.create(&PostParams::default(), &object).await;
            created.map(drop).with_context(|| format!("create {name}"))
        };
        at_once(objects.into_iter().map(create)).await
    }

    /// By merge, as `kubectl apply` does.
    pub(super) async fn change(&self, objects: Vec<Value>) -> Result<()> {
        let change = |object| async move {
            let (api, name, object) = self.resolve(object)?;
            let patch = Patch::Merge(&object);
            let changed = api.patch(&name, &PatchParams::default(), &patch).await;
            changed.map(drop).with_context(|| format!("change {name}"))
        };
        at_once(objects.into_iter().map(change)).await
    }

    pub(super) async fn remove(&self, objects: Vec<Value>) -> Result<()> {
        let remove = |object| async move {
            let (api, name, _) = self.resolve(object)?;
            let removed = api.delete(&name, &DeleteParams::default()).await;
            removed.map(drop).with_context(|| format!("delete {name}"))
        };
        at_once(objects.into_iter().map(remove)).await
    }

    pub(super) async fn create_secrets(&self, secrets: &[(String, &Leaf)]) -> Result<()> {
        self.secrets.create(secrets.iter().cloned()).await
    }

    pub(super) async fn rotate_secret(&self, name: &str, leaf: &Leaf) -> Result<()> {
        self.secrets.put(name, leaf).await.map(drop)
    }

    pub(super) async fn remove_secret(&self, name: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": EDGE},
        });
        self.remove(vec![secret]).await
    }

    fn resolve(&self, object: Value) -> Result<(Api<DynamicObject>, String, DynamicObject)> {
        let object: DynamicObject = serde_json::from_value(object)?;
        let types = object.types.as_ref().context("an object without kind")?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
        let name = object.metadata.name.clone().context("an object without name")?;
        let namespace = object.metadata.namespace.as_deref().unwrap_or(APPS);
        let client: Client = self.objects.client.clone();
        Ok((Api::namespaced_with(client, namespace, &resource), name, object))
    }
}

async fn at_once(requests: impl Iterator<Item = impl Future<Output = Result<()>>>) -> Result<()> {
    stream::iter(requests)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Nothing is sent: the kernel only says from which address it would send. Packets to that address stay in the machine.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}
