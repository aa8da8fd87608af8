//! The gateway's pod: pilot-agent with Envoy, and our agent as its sidecar. Each runs in a mount namespace of its own whose
//! `/run` and `/var` are the pod's: manifests name the agent's socket there, and pilot-agent keeps modules there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::deployment::Deployment;
use super::{NAMESPACE, START, asset};
use crate::kube::Guard;
use crate::kube::daemon::Daemon;
use crate::site::{free_port, program};
use crate::{client, eventually};

/// What the kubelet and Istio's image lay out.
const FOLDERS: [&str; 6] = [
    "etc/istio/pod",
    "etc/istio/proxy",
    "run/sealgate",
    "var/lib/istio/data",
    "var/lib/sealgate",
    "var/run/secrets/credential-uds",
];
/// The pod's folder, then what runs in it.
const ENTER: &str = r#"mount --bind "$0/var" /var && mount --bind "$0/run" /run && exec "$@""#;
/// How many seconds a listener that is replaced is still served.
const DRAIN: &str = "5s";

/// See the module.
#[derive(Debug)]
pub struct Pod {
    // In the order in which they end.
    proxy: Daemon,
    agent: Option<Daemon>,
    guard: Guard,
    folder: PathBuf,
    kubeconfig: PathBuf,
    arguments: Option<Vec<String>>,
    /// The admin port of our agent.
    pub admin: u16,
    /// The admin port of Envoy.
    pub envoy_admin: u16,
}

impl Pod {
    /// Its folder, as the kubelet lays it out; nothing runs.
    pub(super) fn new(folder: &Path, istiod: u16, kubeconfig: &Path, deployment: Deployment) -> Result<Self> {
        for path in FOLDERS {
            fs::create_dir_all(folder.join(path))?;
        }
        let labels = "app=\"istio-ingressgateway\"\nistio=\"ingressgateway\"\n";
        fs::write(folder.join("etc/istio/pod/labels"), labels)?;
        let annotations = deployment.annotations.iter();
        let annotations: String = annotations
            .map(|(key, value)| format!("{key}={value:?}\n"))
            .collect();
        fs::write(folder.join("etc/istio/pod/annotations"), annotations)?;
        let envoy_admin = free_port()?;
        let arguments = vec![
            "proxy".to_owned(),
            "router".to_owned(),
            format!("--domain={NAMESPACE}.svc.cluster.local"),
            "--proxyLogLevel=warning".to_owned(),
            format!("--templateFile={}", asset("envoy_bootstrap.json")?.display()),
        ];
        let config = json!({
            "discoveryAddress": format!("127.0.0.1:{istiod}"),
            // istiod has no certificate here, and the gateway's upstreams want none.
            "controlPlaneAuthPolicy": "NONE",
            "binaryPath": program("ENVOY_BIN")?,
            "configPath": "./etc/istio/proxy",
            "proxyAdminPort": envoy_admin,
            "statusPort": free_port()?,
            "concurrency": 1,
            "terminationDrainDuration": "1s",
            "drainDuration": DRAIN,
        });
        let environment = [
            ("POD_NAME", "istio-ingressgateway-0".to_owned()),
            ("POD_NAMESPACE", NAMESPACE.to_owned()),
            ("INSTANCE_IP", "127.0.0.1".to_owned()),
            ("ISTIO_META_CLUSTER_ID", "Kubernetes".to_owned()),
            ("PROXY_CONFIG", config.to_string()),
            ("CLOUD_PLATFORM", "none".to_owned()),
            ("FILE_MOUNTED_CERTS", "true".to_owned()),
            ("ENVOY_STATUS_PORT", free_port()?.to_string()),
            ("ENVOY_PROMETHEUS_PORT", free_port()?.to_string()),
        ];
        let own = deployment.environment.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.clone()));
        let environment: Vec<_> = environment.into_iter().chain(own).collect();
        let proxy = inside(folder, "pilot-agent", &asset("pilot-agent")?, arguments);
        Ok(Self {
            proxy: proxy.within(folder, &environment),
            agent: None,
            guard: Guard::start(folder)?,
            folder: folder.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            arguments: deployment.arguments,
            admin: free_port()?,
            envoy_admin,
        })
    }

    /// Starts our agent as the Deployment says, with more flags.
    ///
    /// # Errors
    /// The Deployment says nothing of it, or it does not get ready.
    pub async fn start_agent(&mut self, flags: &[&str]) -> Result<()> {
        let arguments = self.arguments.as_ref().context("no container of the agent")?;
        // Loopback is not the pod's own here.
        let arguments = arguments.iter().filter(|own| !own.starts_with("--admin="));
        let mut arguments: Vec<String> = arguments.cloned().collect();
        arguments.push(format!("--admin=127.0.0.1:{}", self.admin));
        arguments.extend(flags.iter().map(ToString::to_string));
        let environment = [
            ("KUBECONFIG", self.kubeconfig.display().to_string()),
            ("SEALGATE_LOG", "info".to_owned()),
        ];
        let agent = inside(&self.folder, "sealgate", &program("SEALGATE_BIN")?, arguments);
        let agent = self.agent.insert(agent.within(&self.folder, &environment));
        agent.start()?;
        self.watch_over()?;
        let admin = self.admin;
        let ready = eventually("the agent gets ready", START, || async move {
            let answer = client::fetch_plain(admin, "localhost", "/readyz").await?;
            ensure!(answer.status == 200, "{}", answer.body);
            Ok(())
        });
        ready.await.with_context(|| self.logs())
    }

    /// Ends our agent at once.
    pub fn kill_agent(&mut self) {
        self.agent = None;
    }

    /// Starts pilot-agent, and waits for Envoy.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start_proxy(&mut self) -> Result<()> {
        self.proxy.start()?;
        self.watch_over()?;
        let admin = self.envoy_admin;
        let ready = eventually("Istio's gateway gets ready", START, || async move {
            let answer = client::fetch_plain(admin, "localhost", "/ready").await?;
            ensure!(answer.status == 200, "{}", answer.body);
            Ok(())
        });
        ready.await.with_context(|| self.logs())
    }

    /// `/api/status` of our agent.
    ///
    /// # Errors
    /// It does not answer with JSON.
    pub async fn status(&self) -> Result<Value> {
        let answer = client::fetch_plain(self.admin, "localhost", "/api/status").await?;
        Ok(serde_json::from_str(&answer.body)?)
    }

    /// A page of Envoy's admin interface.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn envoy_page(&self, path: &str) -> Result<String> {
        Ok(client::fetch_plain(self.envoy_admin, "localhost", path)
            .await?
            .body)
    }

    /// The last lines that the pod's programs said.
    #[must_use]
    pub fn logs(&self) -> String {
        let agent = self.agent.as_ref().map(Daemon::log_end).unwrap_or_default();
        format!("{agent}{}", self.proxy.log_end())
    }

    fn watch_over(&mut self) -> Result<()> {
        let groups = [self.proxy.group(), self.agent.as_ref().and_then(Daemon::group)];
        self.guard.watch_over(groups.into_iter().flatten())
    }
}

/// A program of the pod. Who is not root is root in a namespace of users of their own, for the mount.
fn inside(folder: &Path, name: &'static str, program: &Path, arguments: Vec<String>) -> Daemon {
    let user = (!rustix::process::geteuid().is_root()).then_some("--map-root-user");
    let enter = ["--mount", "sh", "-c", ENTER];
    let mut all: Vec<String> = user.into_iter().chain(enter).map(str::to_owned).collect();
    all.extend([folder.display().to_string(), program.display().to_string()]);
    all.extend(arguments);
    Daemon::new(name, "unshare".into(), all, folder)
}
