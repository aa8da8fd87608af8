//! etcd: one member, without fsync, and nothing is kept.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::daemon::Daemon;
use crate::site::free_port;

#[derive(Debug)]
pub(super) struct Etcd {
    pub(super) daemon: Daemon,
    pub(super) port: u16,
}

impl Etcd {
    /// Not started yet.
    pub(super) fn new(folder: &Path, program: PathBuf) -> Result<Self> {
        let port = free_port()?;
        let client = format!("http://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{}", free_port()?);
        let arguments = vec![
            format!("--data-dir={}", folder.join("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        Ok(Self {
            daemon: Daemon::new("etcd", program, arguments, folder),
            port,
        })
    }

    /// Forgets all revisions before the current one.
    pub(super) async fn compact(&self) -> Result<()> {
        let status = self.post("/v3/maintenance/status", &json!({})).await?;
        let revision = status["header"]["revision"]
            .as_str()
            .context("etcd names no revision")?;
        let order = json!({ "revision": revision, "physical": true });
        self.post("/v3/kv/compaction", &order).await.map(drop)
    }

    /// A request in the JSON form of etcd's gRPC.
    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let answer = response.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success(),
            "{path}: {status} {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(serde_json::from_slice(&answer)?)
    }
}
