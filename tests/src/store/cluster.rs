//! The API server of the walkthrough, as an operator sets it up: the manifests of `envoy/kubernetes`, and an agent that
//! may do what they say and nothing else.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::Value;

use crate::kube::{ControlPlane, Objects, Part};
use crate::site::Source;

const DEFINITIONS: &str = include_str!("../../../envoy/kubernetes/crds.yaml");
const RIGHTS: &str = include_str!("../../../envoy/kubernetes/rbac.yaml");
/// Those of the manifests.
const NAMESPACE: &str = "istio-system";
const ACCOUNT: &str = "sealgate";

/// See the module.
#[derive(Debug)]
pub struct ClusterStore {
    plane: ControlPlane,
    /// Of the namespace `default`.
    objects: Objects,
    /// Of the gateway's namespace.
    secrets: Objects,
    kubeconfig: PathBuf,
}

impl ClusterStore {
    pub(super) async fn start() -> Result<Self> {
        let plane = ControlPlane::start().await?;
        let client = plane.client().await?;
        let objects = Objects::new(client.clone(), "default");
        for namespace in ["default", NAMESPACE] {
            let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {namespace} }}\n");
            objects.apply(&text).await?;
        }
        objects.define(DEFINITIONS).await?;
        objects.apply(RIGHTS).await?;
        let agent = plane.service_account(NAMESPACE, ACCOUNT).await?;
        Ok(Self {
            secrets: Objects::new(client, NAMESPACE),
            kubeconfig: agent.kubeconfig,
            objects,
            plane,
        })
    }

    pub(super) fn source(&self) -> Source {
        Source::Kubernetes {
            kubeconfig: self.kubeconfig.clone(),
            namespace: NAMESPACE.to_owned(),
        }
    }

    pub(super) async fn apply(&self, text: &str) -> Result<()> {
        self.objects.apply(text).await.map(drop)
    }

    pub(super) async fn delete(&self, text: &str) -> Result<()> {
        self.objects.delete(text).await
    }

    /// What is no YAML is refused by the API server itself, and the object stays as it is.
    pub(super) async fn apply_broken(&self, present: &str, broken: &str) -> Result<()> {
        let before = self.objects.get(present).await?;
        self.objects.apply_raw(present, broken).await?;
        let after = self.objects.get(present).await?;
        anyhow::ensure!(before == after, "the API server changed {present} to {after:?}");
        Ok(())
    }

    pub(super) async fn put_secret(&self, text: &str) -> Result<()> {
        self.secrets.put(text).await
    }

    pub(super) async fn delete_secret(&self, name: &str) -> Result<()> {
        let text = format!("apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name} }}\n");
        self.secrets.delete(&text).await
    }

    /// All Events, of all namespaces.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn events(&self) -> Result<Vec<Value>> {
        let events: Api<Event> = Api::all(self.objects.client.clone());
        let list = events.list(&ListParams::default()).await?;
        list.iter()
            .map(|event| Ok(serde_json::to_value(event)?))
            .collect()
    }

    /// Ends the API server at once.
    ///
    /// # Errors
    /// It did not run.
    pub fn kill(&mut self) -> Result<()> {
        self.plane.kill(Part::Apiserver)
    }

    /// Starts it again, and gives how long that took.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start_again(&mut self) -> Result<Duration> {
        let again = self.plane.start_again(Part::Apiserver).await;
        again.context("the API server does not come back")
    }
}
