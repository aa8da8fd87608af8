//! istiod: its files and its command line.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{NAMESPACE, START, asset};
use crate::kube::daemon::Daemon;
use crate::site::free_port;
use crate::{client, eventually};

/// What Istio's own build of Envoy has and Envoy's own has not is left out: the metrics, the exchange of peers' metadata and
/// the protocol by which sidecars know each other.
fn mesh() -> Value {
    json!({ "enableAutoMtls": false, "defaultProviders": { "metrics": [] } })
}

const FEATURES: [(&str, &str); 5] = [
    ("POD_NAMESPACE", NAMESPACE),
    ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
    ("PILOT_ENABLE_ALPN_FILTER", "false"),
    // No pod asks for a sidecar here.
    ("INJECT_ENABLED", "false"),
    ("PILOT_ENABLE_GATEWAY_API", "false"),
];

#[derive(Debug)]
pub(super) struct Istiod {
    pub(super) daemon: Daemon,
    /// Where proxies ask.
    pub(super) grpc: u16,
    http: u16,
}

impl Istiod {
    /// Not started yet.
    pub(super) fn new(folder: &Path, kubeconfig: &Path, values: &Value) -> Result<Self> {
        let own = folder.join("istiod");
        fs::create_dir_all(&own)?;
        let mut mesh = mesh();
        for (key, value) in values["meshConfig"].as_object().into_iter().flatten() {
            mesh[key] = value.clone();
        }
        fs::write(own.join("mesh.yaml"), mesh.to_string())?;
        let (grpc, http) = (free_port()?, free_port()?);
        let arguments = vec![
            "discovery".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--meshConfig=mesh.yaml".to_owned(),
            format!("--grpcAddr=127.0.0.1:{grpc}"),
            format!("--httpAddr=127.0.0.1:{http}"),
            format!("--monitoringAddr=127.0.0.1:{}", free_port()?),
            "--httpsAddr=".to_owned(),
            "--secureGRPCAddr=".to_owned(),
            format!("--ctrlz_port={}", free_port()?),
        ];
        let environment = FEATURES.map(|(name, value)| (name, value.to_owned()));
        let daemon = Daemon::new("istiod", asset("pilot-discovery")?, arguments, &own);
        Ok(Self {
            daemon: daemon.within(&own, &environment),
            grpc,
            http,
        })
    }

    /// Waits until it has read all objects.
    pub(super) async fn ready(&self) -> Result<()> {
        let ready = eventually("istiod gets ready", START, || async {
            let answer = client::fetch_plain(self.http, "localhost", "/ready").await?;
            ensure!(answer.status == 200, "{}", answer.body);
            Ok(())
        });
        ready.await.with_context(|| self.daemon.log_end())
    }
}
