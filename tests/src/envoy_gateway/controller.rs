//! The controller: its certificates, which its own program makes, its files and its command line.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::pod_root::PodRoot;
use super::{NAMESPACE, START, asset};
use crate::kube::Objects;
use crate::kube::daemon::Daemon;
use crate::site::free_port;
use crate::{client, eventually};

const PROGRAM: &str = "envoy-gateway";
/// Where the controller's probe of readiness asks.
const HEALTH: u16 = 8_081;

#[derive(Debug)]
pub(super) struct Controller {
    pub(super) daemon: Daemon,
}

impl Controller {
    /// Not started yet. Its Secrets are in the API server, as the job of the chart makes them.
    pub(super) async fn new(
        folder: &Path,
        kubeconfig: &Path,
        objects: &Objects,
        config: &Value,
    ) -> Result<Self> {
        let environment = [
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("ENVOY_GATEWAY_NAMESPACE", NAMESPACE.to_owned()),
        ];
        let made = Command::new(asset(PROGRAM)?)
            .args(["certgen", "--disable-topology-injector"])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .output()?;
        ensure!(
            made.status.success(),
            "certgen: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let root = PodRoot::new(folder)?;
        root.mount_secret(
            "/certs",
            &Objects::new(objects.client.clone(), NAMESPACE),
            PROGRAM,
        )
        .await?;
        root.mount_empty("/var/lib/eg/wasm")?;
        fs::write(
            folder.join("envoy-gateway.json"),
            whole(config, free_port()?)?.to_string(),
        )?;
        let file = folder.join("envoy-gateway.json").display().to_string();
        let arguments = vec!["server".to_owned(), format!("--config-path={file}")];
        let daemon = root.inside("envoy-gateway", &asset(PROGRAM)?, arguments);
        Ok(Self {
            daemon: daemon.within(folder, &environment),
        })
    }

    /// Waits until it has read all objects.
    pub(super) async fn ready(&self) -> Result<()> {
        let ready = eventually("Envoy Gateway gets ready", START, || async {
            let answer = client::fetch_plain(HEALTH, "localhost", "/readyz").await?;
            ensure!(answer.status == 200, "{}", answer.body);
            Ok(())
        });
        ready.await.with_context(|| self.daemon.log_end())
    }
}

/// What is said of the configuration, with what a machine without pods needs: an admin port and metrics that Envoy does not
/// have, upstreams by their addresses, no other controller to be elected, and no webhook.
fn whole(config: &Value, admin: u16) -> Result<Value> {
    let mut whole = config.clone();
    whole["provider"] = json!({
        "type": "Kubernetes",
        "kubernetes": {
            "leaderElection": { "disable": true },
            "proxyTopologyInjector": { "disabled": true },
        },
    });
    whole["gateway"] = json!({ "controllerName": "gateway.envoyproxy.io/gatewayclass-controller" });
    whole["admin"] = json!({ "address": { "host": "127.0.0.1", "port": admin } });
    whole["telemetry"] = json!({ "metrics": { "prometheus": { "disable": true } } });
    whole["extensionApis"]["enableBackend"] = json!(true);
    ensure!(
        whole["kind"] == "EnvoyGateway",
        "{whole} configures something else"
    );
    Ok(whole)
}
