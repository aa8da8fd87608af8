//! A machine with a directory source, the agent, the real Envoy and the upstreams.

mod successor;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{client, eventually, upstream};

const ENVOY_LOG: &str = "envoy.log";
const BOOTSTRAP: &str = "bootstrap.yaml";
/// Ten thousand certificates take a debug build some time.
const START: Duration = Duration::from_secs(60);

/// A process that ends with this value.
#[derive(Debug)]
struct Running(Child);

impl Running {
    fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.0.id().to_string())
    }

    fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(self.proc().join("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: u64 = resident
            .context("VmRSS")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        Ok(kilobytes * 1024)
    }

    /// To the nanosecond: the kernel's sum for the process is in hundredths of a second.
    fn processor_time(&self) -> Result<Duration> {
        let mut all = Duration::ZERO;
        for thread in fs::read_dir(self.proc().join("task"))? {
            // A thread may end meanwhile.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            let running = text.split_whitespace().next().context("schedstat")?;
            all += Duration::from_nanos(running.parse()?);
        }
        Ok(all)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that is stopped until this value is dropped.
#[derive(Debug)]
pub struct Paused(Pid);

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    process: Running,
    /// Where its files are.
    folder: PathBuf,
    admin: u16,
    /// How many Envoys before it have handed their sockets on.
    epoch: u32,
}

impl Envoy {
    /// Stops it (SIGSTOP) as long as the value lives.
    ///
    /// # Errors
    /// It is gone.
    pub fn pause(&self) -> Result<Paused> {
        let envoy = Pid::from_child(&self.process.0);
        kill_process(envoy, Signal::STOP)?;
        Ok(Paused(envoy))
    }

    /// Its resident memory, in bytes.
    ///
    /// # Errors
    /// It is gone.
    pub fn memory(&self) -> Result<u64> {
        self.process.memory()
    }

    /// The processor time of its threads.
    ///
    /// # Errors
    /// It is gone.
    pub fn processor_time(&self) -> Result<Duration> {
        self.process.processor_time()
    }

    /// Starts it from this bootstrap; its files are in `folder`.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start(folder: &Path, bootstrap: &str, admin: u16) -> Result<Self> {
        fs::write(folder.join(BOOTSTRAP), bootstrap)?;
        File::create(folder.join(ENVOY_LOG))?;
        let envoy = Self {
            process: successor::spawn(folder, 0)?,
            folder: folder.to_owned(),
            admin,
            epoch: 0,
        };
        let ready = eventually("Envoy gets ready", START, || async move {
            let answer = client::fetch_plain(admin, "localhost", "/ready").await?;
            ensure!(answer.status == 200, "{}", answer.body);
            Ok(())
        });
        ready.await.with_context(|| envoy.log())?;
        Ok(envoy)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join(ENVOY_LOG)).unwrap_or_default()
    }
}

/// The source of a [`Site`]'s agent.
#[derive(Clone, Debug)]
pub enum Source {
    /// [`Site::dir`].
    Directory,
    /// An API server.
    Kubernetes {
        /// How to connect to it, and as which user.
        kubeconfig: PathBuf,
        /// The gateway's namespace.
        namespace: String,
    },
}

impl Source {
    fn flags(&self, dir: &Path) -> Vec<String> {
        match self {
            Self::Directory => vec![format!("--source=dir:{}", dir.display())],
            Self::Kubernetes { namespace, .. } => {
                vec![
                    "--source=kubernetes".to_owned(),
                    // The upstreams of the tests listen on loopback.
                    "--allow-local-upstreams=true".to_owned(),
                    format!("--namespace={namespace}"),
                ]
            }
        }
    }

    fn kubeconfig(&self) -> Option<&Path> {
        match self {
            Self::Directory => None,
            Self::Kubernetes { kubeconfig, .. } => Some(kubeconfig),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    /// The agent's source; set it before the agent starts.
    pub source: Source,
    /// Additional flags of the agent.
    pub flags: Vec<String>,
    /// The agent's log level (`SEALGATE_LOG`).
    pub log_level: String,
    /// The agent's limit of descriptors; set it before the agent starts.
    pub descriptors: Option<u32>,
    agent: Option<Running>,
    envoy: Option<Envoy>,
    /// The previous Envoy, until it has ended.
    former: Option<Envoy>,
    /// Where HTTPS is served.
    pub https: u16,
    /// Where HTTP is served.
    pub http: u16,
    /// The agent's admin port.
    pub admin: u16,
    /// Envoy's admin port.
    pub envoy_admin: u16,
    /// The upstreams.
    pub welcome: u16,
    /// The upstreams.
    pub httpbin: u16,
}

/// The program that an environment variable names.
///
/// # Errors
/// It is not set.
pub fn program(variable: &str) -> Result<PathBuf> {
    let path = std::env::var_os(variable)
        .with_context(|| format!("{variable} is not set: run scripts/test or scripts/demo"))?;
    Ok(path.into())
}

/// A free port on loopback that no other call in this process gets.
///
/// It is below the kernel's range of ephemeral ports, so that nothing takes it before its user listens; each process
/// starts at a different port.
///
/// # Errors
/// There is none.
pub fn free_port() -> Result<u16> {
    // After those that Envoy Gateway requires.
    const FIRST: u32 = 19_100;
    const COUNT: u32 = 12_900;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(61);
    for _ in 0..COUNT {
        let at = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + at)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port of loopback is free")
}

impl Site {
    /// An empty directory, with the agent and Envoy.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(Vec::new()).await
    }

    /// The same, with more flags of the agent.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn start_with(flags: Vec<String>) -> Result<Self> {
        let mut site = Self::prepare().await?;
        site.flags = flags;
        site.start_agent().await?;
        site.start_envoy(|bootstrap, _| bootstrap).await?;
        Ok(site)
    }

    /// An empty directory, and the upstreams; nothing else is started.
    ///
    /// # Errors
    /// One of them does not start.
    pub async fn prepare() -> Result<Self> {
        let site = Self {
            folder: tempfile::Builder::new().prefix("sealgate").tempdir()?,
            source: Source::Directory,
            flags: Vec::new(),
            log_level: "info,sealgate_agent=debug".to_owned(),
            descriptors: None,
            agent: None,
            envoy: None,
            former: None,
            https: free_port()?,
            http: free_port()?,
            admin: free_port()?,
            envoy_admin: free_port()?,
            welcome: upstream::start().await?,
            httpbin: upstream::start().await?,
        };
        fs::create_dir(site.dir())?;
        Ok(site)
    }

    /// The directory source.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    /// The agent's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("xds.sock")
    }

    /// Writes a file of the directory source, in place.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.dir().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        Ok(fs::write(path, text)?)
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start_agent(&mut self) -> Result<()> {
        self.spawn_agent()?;
        self.agent_ready().await
    }

    /// Starts the agent, without waiting for it.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn spawn_agent(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.agent_log())?;
        let child = self
            .agent_command()?
            .arg("run")
            .args(self.source.flags(&self.dir()))
            .arg("--socket")
            .arg(self.socket())
            .arg(format!("--admin=127.0.0.1:{}", self.admin))
            .arg("--listen=127.0.0.1")
            .arg(format!("--port-map=443={},80={}", self.https, self.http))
            .args(&self.flags)
            .env("SEALGATE_LOG", &self.log_level)
            .envs(self.source.kubeconfig().map(|path| ("KUBECONFIG", path)))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.agent = Some(Running(child));
        Ok(())
    }

    fn agent_command(&self) -> Result<Command> {
        let own = program("SEALGATE_BIN")?;
        let Some(descriptors) = self.descriptors else {
            return Ok(Command::new(own));
        };
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -n {descriptors} && exec \"$@\""), "sh"])
            .arg(own);
        Ok(command)
    }

    /// Waits until the agent is ready.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn agent_ready(&self) -> Result<()> {
        let admin = self.admin;
        let ready = eventually("the agent gets ready", START, || async move {
            let answer = client::fetch_plain(admin, "localhost", "/readyz").await?;
            ensure!(answer.status == 200, "{}", answer.body);
            Ok(())
        });
        ready
            .await
            .with_context(|| fs::read_to_string(self.agent_log()).unwrap_or_default())
    }

    /// Waits until the agent's log contains this: a line may come after the event.
    ///
    /// # Errors
    /// It does not say so.
    pub async fn agent_says(&self, words: &str) -> Result<()> {
        eventually("the agent's log says it", START, || async {
            let log = fs::read_to_string(self.agent_log())?;
            ensure!(log.contains(words), "no {words:?} in\n{log}");
            Ok(())
        })
        .await
    }

    /// Stops the agent (SIGSTOP) as long as the value lives.
    ///
    /// # Errors
    /// It does not run.
    pub fn pause_agent(&self) -> Result<Paused> {
        let agent = Pid::from_child(&self.agent.as_ref().context("the agent does not run")?.0);
        kill_process(agent, Signal::STOP)?;
        Ok(Paused(agent))
    }

    /// Kills the agent (SIGKILL).
    pub fn kill_agent(&mut self) {
        self.agent = None;
    }

    /// Starts Envoy with the output of `sealgate bootstrap`, as changed by `edit`.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start_envoy(&mut self, edit: impl FnOnce(String, &Self) -> String) -> Result<()> {
        let text = edit(self.bootstrap("edge-1", self.envoy_admin)?, self);
        self.envoy = Some(Envoy::start(self.folder.path(), &text, self.envoy_admin).await?);
        Ok(())
    }

    /// Starts another Envoy with this node id; its files are in a folder of that name.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn another_envoy(&self, node: &str, edit: impl FnOnce(String) -> String) -> Result<Envoy> {
        let (folder, admin) = (self.folder.path().join(node), free_port()?);
        fs::create_dir_all(&folder)?;
        Envoy::start(&folder, &edit(self.bootstrap(node, admin)?), admin).await
    }

    fn bootstrap(&self, node: &str, admin: u16) -> Result<String> {
        let bootstrap = self.sealgate(&[
            "bootstrap",
            "--socket",
            &self.socket().display().to_string(),
            "--admin-port",
            &admin.to_string(),
            "--node-id",
            node,
        ])?;
        ensure!(
            bootstrap.status.success(),
            "bootstrap: {}",
            String::from_utf8_lossy(&bootstrap.stderr)
        );
        Ok(String::from_utf8(bootstrap.stdout)?)
    }

    /// The agent's process id.
    ///
    /// # Errors
    /// It does not run.
    pub fn agent_id(&self) -> Result<u32> {
        Ok(self.running_agent()?.0.id())
    }

    /// Runs `sealgate certs` for the agent; returns its exit status and output.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn certs(&self, flags: &[&str]) -> Result<(Option<i32>, String)> {
        let admin = format!("127.0.0.1:{}", self.admin);
        let output = self.sealgate(&[&["certs", "--admin", &admin], flags].concat())?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    }

    /// The agent's metrics.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn metrics(&self) -> Result<String> {
        Ok(client::fetch_plain(self.admin, "localhost", "/metrics")
            .await?
            .body)
    }

    /// Kills Envoy (SIGKILL).
    pub fn kill_envoy(&mut self) {
        self.envoy = None;
        self.former = None;
    }

    /// The agent's resident memory, in bytes.
    ///
    /// # Errors
    /// It does not run.
    pub fn agent_memory(&self) -> Result<u64> {
        self.running_agent()?.memory()
    }

    /// The processor time of the agent's threads.
    ///
    /// # Errors
    /// It does not run.
    pub fn agent_processor_time(&self) -> Result<Duration> {
        self.running_agent()?.processor_time()
    }

    /// Envoy's resident memory, in bytes.
    ///
    /// # Errors
    /// It does not run.
    pub fn envoy_memory(&self) -> Result<u64> {
        self.envoy.as_ref().context("Envoy does not run")?.memory()
    }

    /// The processor time of Envoy's threads.
    ///
    /// # Errors
    /// It does not run.
    pub fn envoy_processor_time(&self) -> Result<Duration> {
        self.envoy
            .as_ref()
            .context("Envoy does not run")?
            .processor_time()
    }

    fn running_agent(&self) -> Result<&Running> {
        self.agent.as_ref().context("the agent does not run")
    }

    /// Runs `sealgate` to its end.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn sealgate(&self, arguments: &[&str]) -> Result<Output> {
        Ok(Command::new(program("SEALGATE_BIN")?).args(arguments).output()?)
    }

    /// `sealgate check --json` on the directory.
    ///
    /// # Errors
    /// It says nothing that is JSON.
    pub fn check(&self) -> Result<(Option<i32>, Value)> {
        let output = self.sealgate(&["check", "--json", "--dir", &self.dir().display().to_string()])?;
        Ok((output.status.code(), serde_json::from_slice(&output.stdout)?))
    }

    /// `/api/status`.
    ///
    /// # Errors
    /// It does not answer with JSON.
    pub async fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(
            &client::fetch_plain(self.admin, "localhost", "/api/status")
                .await?
                .body,
        )?)
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

    /// The agent's log.
    #[must_use]
    pub fn agent_log(&self) -> PathBuf {
        self.folder.path().join("agent.log")
    }

    /// Envoy's log.
    #[must_use]
    pub fn envoy_log(&self) -> PathBuf {
        self.folder.path().join(ENVOY_LOG)
    }
}
