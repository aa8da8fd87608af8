//! The agent in the pod of Istio's gateway: a Deployment that holds nothing else, to be applied on the server's side.
//!
//! The container is that of our own chart: what it may use up, how it is probed, and what it may not do are said there.

use serde_json::{Value, json};

use super::error::IstioError;
use super::site::Site;
use crate::args::IstioAgentArgs;

/// The chart's objects, with its default values.
const CHART: &str = include_str!("../../../../envoy/kubernetes/gateway/gateway.yaml");
/// What the chart calls the agent's container, and the volume of its token.
const CHART_CONTAINER: &str = "agent";
const CHART_TOKEN: &str = "token";
/// The container of Istio's proxy.
const PROXY: &str = "istio-proxy";
/// Who runs it: pilot-agent takes no socket of another user's.
const PROXY_USER: u32 = 1337;
/// Where the agent keeps what outlives it.
const STATE: &str = "sealgate-state";
const STATE_FOLDER: &str = "/var/lib/sealgate";
const TOKEN_FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A folder that both containers see at the same path.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedFolder {
    /// The volume.
    pub(super) volume: &'static str,
    /// Where it lies.
    pub(super) folder: &'static str,
    /// The socket in it.
    pub(super) socket: &'static str,
    /// Whether Istio's injection brings the volume and its mount in the proxy.
    pub(super) injected: bool,
}

/// What the pod gets.
#[derive(Debug)]
pub(super) struct Pod<'a> {
    pub(super) agent: &'a IstioAgentArgs,
    pub(super) shared: SharedFolder,
    /// Flags of `run` beside those that every agent here has.
    pub(super) flags: Vec<String>,
    /// Environment of Istio's proxy.
    pub(super) proxy_env: Vec<(&'static str, &'static str)>,
    /// Whether the agent decides on requests too: it keeps who was first with a host, and tells of clients by itself.
    pub(super) routes: bool,
}

impl Pod<'_> {
    /// The Deployment.
    ///
    /// # Errors
    /// The chart is not what it should be.
    pub(super) fn deployment(&self, site: &Site) -> Result<Value, IstioError> {
        let mut pod = json!({ "spec": {
            "initContainers": [self.container()?],
            "containers": [self.proxy()],
            "volumes": self.volumes()?,
        } });
        if self.routes {
            pod["metadata"] = no_own_xfcc();
        }
        Ok(deployment(site, &pod))
    }

    fn container(&self) -> Result<Value, IstioError> {
        let chart = chart_pod()?;
        let mut container = named(&chart, "initContainers", CHART_CONTAINER)?;
        let missing = || IstioError::Carried("the chart's container");
        let own = container.as_object_mut().ok_or_else(missing)?;
        if let Some(image) = &self.agent.image {
            own.insert("image".to_owned(), json!(image));
        }
        let security = own.get_mut("securityContext").and_then(Value::as_object_mut);
        let security = security.ok_or_else(missing)?;
        security.insert("runAsUser".to_owned(), json!(PROXY_USER));
        security.insert("runAsGroup".to_owned(), json!(PROXY_USER));
        security.insert("runAsNonRoot".to_owned(), json!(true));
        let seccomp = chart
            .pointer("/securityContext/seccompProfile")
            .ok_or_else(missing)?;
        security.insert("seccompProfile".to_owned(), seccomp.clone());
        own.insert("name".to_owned(), json!("sealgate"));
        own.insert("args".to_owned(), json!(self.arguments()));
        let token = json!({ "name": "sealgate-token", "mountPath": TOKEN_FOLDER, "readOnly": true });
        let state = self
            .routes
            .then(|| json!({ "name": STATE, "mountPath": STATE_FOLDER }));
        let mounts: Vec<Value> = [self.shared_mount(), token].into_iter().chain(state).collect();
        own.insert("volumeMounts".to_owned(), mounts.into());
        Ok(container)
    }

    fn shared_mount(&self) -> Value {
        json!({ "name": self.shared.volume, "mountPath": self.shared.folder })
    }

    fn arguments(&self) -> Vec<String> {
        let common = [
            "run".to_owned(),
            "--source=kubernetes".to_owned(),
            "--namespace=$(POD_NAMESPACE)".to_owned(),
            format!("--socket={}", self.shared.socket),
            "--admin=0.0.0.0:15080".to_owned(),
        ];
        let state = self.routes.then(|| format!("--state-dir={STATE_FOLDER}"));
        common
            .into_iter()
            .chain(self.flags.iter().cloned())
            .chain(state)
            .collect()
    }

    fn proxy(&self) -> Value {
        let env: Vec<Value> = self
            .proxy_env
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let mut proxy = json!({ "name": PROXY });
        if !env.is_empty() {
            proxy["env"] = json!(env);
        }
        if !self.shared.injected {
            proxy["volumeMounts"] = json!([self.shared_mount()]);
        }
        proxy
    }

    fn volumes(&self) -> Result<Value, IstioError> {
        let mut token = named(&chart_pod()?, "volumes", CHART_TOKEN)?;
        token["name"] = json!("sealgate-token");
        let shared = json!({ "name": self.shared.volume, "emptyDir": {} });
        let state = self
            .routes
            .then(|| json!({ "name": STATE, "emptyDir": { "sizeLimit": "256Mi" } }));
        Ok([shared, token].into_iter().chain(state).collect())
    }
}

/// A Deployment that says nothing but that Envoy tells nothing of clients, for the filter does.
pub(super) fn without_own_xfcc(site: &Site) -> Value {
    deployment(site, &json!({ "metadata": no_own_xfcc() }))
}

fn deployment(site: &Site, pod: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": site.deployment, "namespace": site.namespace },
        "spec": { "template": pod },
    })
}

/// By a patch it cannot be said: it is the first value of its enum, which merges into nothing.
fn no_own_xfcc() -> Value {
    let config = json!({ "gatewayTopology": { "forwardClientCertDetails": "SANITIZE" } });
    json!({ "annotations": { "proxy.istio.io/config": config.to_string() } })
}

/// The specification of the chart's pods.
fn chart_pod() -> Result<Value, IstioError> {
    let missing = || IstioError::Carried("the chart's Deployment");
    let objects: Vec<Value> = serde_saphyr::from_multiple(CHART).map_err(|_| missing())?;
    let deployment = objects
        .into_iter()
        .find(|object| object.get("kind").and_then(Value::as_str) == Some("Deployment"));
    let pod = deployment.and_then(|mut own| Some(own.pointer_mut("/spec/template/spec")?.take()));
    pod.ok_or_else(missing)
}

/// The entry of a list that has this name.
fn named(pod: &Value, list: &str, name: &str) -> Result<Value, IstioError> {
    let mut entries = pod.get(list).and_then(Value::as_array).into_iter().flatten();
    let entry = entries.find(|entry| entry.get("name").and_then(Value::as_str) == Some(name));
    entry
        .cloned()
        .ok_or(IstioError::Carried("what the chart's pods have"))
}
