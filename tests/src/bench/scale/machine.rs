//! One build of the agent, with an Envoy.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use crate::client;
use crate::kube::Guard;
use crate::site::{free_port, program};

/// A build that was made for ten hosts may be slow with thousands.
const START: Duration = Duration::from_secs(600);
const EVERY: Duration = Duration::from_millis(4);

/// See the module. What it starts ends with it, and with the program, however that ends.
#[derive(Debug)]
pub(super) struct Machine {
    // Before the folder: what writes into it ends first.
    agent: Option<Process>,
    envoy: Option<Process>,
    guard: Guard,
    folder: TempDir,
    binary: PathBuf,
    admin: u16,
    envoy_admin: u16,
    /// Where HTTPS is served.
    pub(super) https: u16,
    /// Where HTTP is served.
    pub(super) http: u16,
}

impl Machine {
    /// Nothing is started yet.
    pub(super) fn new(binary: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sealgate-scale").tempdir()?;
        Ok(Self {
            agent: None,
            envoy: None,
            guard: Guard::start(folder.path())?,
            folder,
            binary: binary.to_owned(),
            admin: free_port()?,
            envoy_admin: free_port()?,
            https: free_port()?,
            http: free_port()?,
        })
    }

    /// Where its files are; `objects` in there is the directory source.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the agent with these flags and variables; returns how long it took to be ready.
    pub(super) async fn start_agent(
        &mut self,
        flags: &[String],
        variables: &[(String, PathBuf)],
    ) -> Result<Duration> {
        let log = File::create(self.folder().join("agent.log"))?;
        let mut command = Command::new(&self.binary);
        command
            .arg("run")
            .args(flags)
            .arg("--socket")
            .arg(self.socket())
            .arg(format!("--admin=127.0.0.1:{}", self.admin))
            .arg("--listen=127.0.0.1")
            .arg(format!("--port-map=443={},80={}", self.https, self.http))
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("SEALGATE_LOG", "warn")
            .stdout(log.try_clone()?)
            .stderr(log);
        let start = Instant::now();
        self.agent = Some(Process::spawn("the agent", &mut command)?);
        self.watch_over()?;
        while start.elapsed() < START {
            self.check()?;
            let answer = client::fetch_plain(self.admin, "localhost", "/readyz").await;
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(start.elapsed());
            }
            tokio::time::sleep(EVERY).await;
        }
        Err(self.failure("the agent does not get ready"))
    }

    /// Starts Envoy with the agent's own bootstrap, without waiting for it.
    pub(super) fn start_envoy(&mut self) -> Result<()> {
        let output = Command::new(&self.binary)
            .args(["bootstrap", "--node-id=edge-1", "--socket"])
            .arg(self.socket())
            .arg(format!("--admin-port={}", self.envoy_admin))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "bootstrap: {said}");
        let path = self.folder().join("bootstrap.yaml");
        fs::write(&path, output.stdout)?;
        let log = File::create(self.folder().join("envoy.log"))?;
        let mut command = Command::new(program("ENVOY_BIN")?);
        command.arg("-c").arg(path).args(["--concurrency", "1"]);
        command.args(["--use-dynamic-base-id", "--drain-time-s", "5"]);
        command.args(["--log-level", "warning"]);
        command.stdout(log.try_clone()?).stderr(log);
        self.envoy = Some(Process::spawn("Envoy", &mut command)?);
        self.watch_over()
    }

    /// Checks that both processes run.
    pub(super) fn check(&mut self) -> Result<()> {
        let mut processes = self.agent.iter_mut().chain(&mut self.envoy);
        let state = processes.try_for_each(Process::check);
        state.map_err(|error| self.failure(&error.to_string()))
    }

    pub(super) fn agent(&self) -> Result<&Process> {
        self.agent.as_ref().context("the agent does not run")
    }

    pub(super) fn envoy(&self) -> Result<&Process> {
        self.envoy.as_ref().context("Envoy does not run")
    }

    /// Resident, in MB, of the agent and of Envoy.
    pub(super) fn memory(&self) -> Result<(f64, f64)> {
        Ok((self.agent()?.memory()?, self.envoy()?.memory()?))
    }

    /// How many times the agent has published something.
    pub(super) async fn publications(&self) -> Result<u64> {
        let page = client::fetch_plain(self.admin, "localhost", "/api/status").await?;
        let status: Value = serde_json::from_str(&page.body)?;
        status["publications"]
            .as_u64()
            .context("the status counts no publications")
    }

    /// A page of Envoy's admin interface.
    pub(super) async fn envoy_page(&self, path: &str) -> Result<String> {
        Ok(client::fetch_plain(self.envoy_admin, "localhost", path)
            .await?
            .body)
    }

    /// An error with the ends of both logs.
    pub(super) fn failure(&self, what: &str) -> anyhow::Error {
        let end = |name: &str| {
            let text = fs::read_to_string(self.folder().join(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.get(lines.len().saturating_sub(6)..).unwrap_or_default();
            last.join("\n")
        };
        anyhow::anyhow!("{what}\n{}\n{}", end("agent.log"), end("envoy.log"))
    }

    fn socket(&self) -> PathBuf {
        self.folder().join("xds.sock")
    }

    fn watch_over(&mut self) -> Result<()> {
        let running = self.agent.iter().chain(&self.envoy);
        self.guard.watch_over(running.map(Process::group))
    }
}
