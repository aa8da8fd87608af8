//! The pod of a Gateway's proxy: Envoy, and our agent as its sidecar, as the controller's Deployment says.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::pod_root::PodRoot;
use super::{ENVOY_ADMIN, NAMESPACE, START};
use crate::kube::daemon::Daemon;
use crate::kube::{ControlPlane, Guard, Objects};
use crate::site::{free_port, program};
use crate::{client, eventually};

const ENVOY: &str = "envoy";
const AGENT: &str = "sealgate";
/// As a ReplicaSet would name it.
const NAME: &str = "envoy-0";
/// What other Envoys of this machine would collide with.
const ALONE: &str = "--disable-hot-restart";

/// See the module.
#[derive(Debug)]
pub struct ProxyPod {
    // In the order in which they end.
    envoy: Daemon,
    agent: Option<Daemon>,
    guard: Guard,
    /// The port of our agent's admin interface.
    admin: u16,
}

impl ProxyPod {
    /// Its folder, as the kubelet lays it out; nothing runs.
    pub(super) async fn new(
        folder: &Path,
        template: &Value,
        objects: &Objects,
        plane: &ControlPlane,
    ) -> Result<Self> {
        let root = PodRoot::new(folder)?;
        let spec = &template["spec"];
        for volume in spec["volumes"].as_array().into_iter().flatten() {
            mount(&root, spec, volume, objects).await?;
        }
        let mut arguments = arguments(container(spec, ENVOY).context("no container of Envoy")?);
        arguments.push(ALONE.to_owned());
        let admin = free_port()?;
        let agent = match container(spec, AGENT) {
            None => None,
            Some(agent) => {
                let kubeconfig = token(spec, plane).await?;
                let mut arguments = self::arguments(agent);
                arguments.push(format!("--admin=127.0.0.1:{admin}"));
                let agent = root.inside("sealgate", &program("SEALGATE_BIN")?, arguments);
                let environment = [
                    ("KUBECONFIG", kubeconfig.display().to_string()),
                    ("SEALGATE_LOG", "info".to_owned()),
                ];
                Some(agent.within(folder, &environment))
            }
        };
        Ok(Self {
            envoy: root.inside("envoy", &program("ENVOY_BIN")?, arguments),
            agent,
            guard: Guard::start(folder)?,
            admin,
        })
    }

    /// Starts our agent, as the Deployment says.
    ///
    /// # Errors
    /// The Deployment says nothing of it, or it does not get ready.
    pub async fn start_agent(&mut self) -> Result<()> {
        self.agent
            .as_mut()
            .context("no container of the agent")?
            .start()?;
        self.watch_over()?;
        let admin = self.admin;
        self.ready("the agent", admin, "/readyz").await
    }

    /// Ends our agent at once.
    pub fn kill_agent(&mut self) {
        if let Some(agent) = &mut self.agent {
            agent.kill();
        }
    }

    /// Starts Envoy, and waits until it has what the controller says.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start_envoy(&mut self) -> Result<()> {
        self.envoy.start()?;
        self.watch_over()?;
        self.ready("Envoy", ENVOY_ADMIN, "/ready").await
    }

    /// A page of Envoy's admin interface.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn envoy_page(&self, path: &str) -> Result<String> {
        Ok(client::fetch_plain(ENVOY_ADMIN, "localhost", path).await?.body)
    }

    /// The last lines that the pod's programs said.
    #[must_use]
    pub fn logs(&self) -> String {
        let agent = self.agent.as_ref().map(Daemon::log_end).unwrap_or_default();
        format!("{agent}{}", self.envoy.log_end())
    }

    async fn ready(&self, who: &str, port: u16, path: &str) -> Result<()> {
        let what = format!("{who} gets ready");
        let ready = eventually(&what, START, || async {
            let answer = client::fetch_plain(port, "localhost", path).await?;
            ensure!(answer.status == 200, "{}", answer.body);
            Ok(())
        });
        ready.await.with_context(|| self.logs())
    }

    fn watch_over(&mut self) -> Result<()> {
        let groups = [self.envoy.group(), self.agent.as_ref().and_then(Daemon::group)];
        self.guard.watch_over(groups.into_iter().flatten())
    }
}

fn container<'a>(spec: &'a Value, name: &str) -> Option<&'a Value> {
    let lists = ["initContainers", "containers"];
    let mut all = lists.iter().filter_map(|list| spec[list].as_array()).flatten();
    all.find(|container| container["name"] == name)
}

/// A volume at the one path at which all containers have it that do.
async fn mount(root: &PodRoot, spec: &Value, volume: &Value, objects: &Objects) -> Result<()> {
    let name = &volume["name"];
    let paths = [AGENT, ENVOY].iter().filter_map(|name| container(spec, name));
    let paths = paths.filter_map(|container| container["volumeMounts"].as_array());
    let paths = paths.flatten().filter(|mount| mount["name"] == *name);
    let mut paths: Vec<&str> = paths.filter_map(|mount| mount["mountPath"].as_str()).collect();
    paths.dedup();
    let [at] = paths.as_slice() else {
        bail!("volume {name} is mounted at {paths:?}");
    };
    if let Some(secret) = volume["secret"]["secretName"].as_str() {
        root.mount_secret(at, objects, secret).await
    } else if let Some(map) = volume["configMap"]["name"].as_str() {
        root.mount_config_map(at, objects, map).await
    } else {
        ensure!(
            volume["emptyDir"].is_object(),
            "{volume}: no kind that is known here"
        );
        root.mount_empty(at).map(drop)
    }
}

/// The token that the kubelet gives, if the pod asks for one.
async fn token(spec: &Value, plane: &ControlPlane) -> Result<PathBuf> {
    ensure!(
        spec["automountServiceAccountToken"] == true,
        "the agent's pod asks for no token"
    );
    let account = spec["serviceAccountName"].as_str().context("no account")?;
    Ok(plane.service_account(NAMESPACE, account).await?.kubeconfig)
}

/// With its variables, as the kubelet expands them.
fn arguments(container: &Value) -> Vec<String> {
    let variables = container["env"].as_array().into_iter().flatten();
    let variables: Vec<(String, &str)> = variables
        .filter_map(|variable| {
            let field = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str();
            let value = match field {
                Some("metadata.name") => NAME,
                Some("metadata.namespace") => NAMESPACE,
                Some(_) => "",
                None => variable["value"].as_str()?,
            };
            Some((format!("$({})", variable["name"].as_str()?), value))
        })
        .collect();
    let arguments = container["args"].as_array().into_iter().flatten();
    let arguments = arguments.filter_map(Value::as_str);
    arguments
        .map(|argument| {
            let expand = |text: String, (name, value): &(String, &str)| text.replace(name, value);
            variables.iter().fold(argument.to_owned(), expand)
        })
        .collect()
}
