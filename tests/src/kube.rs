//! A Kubernetes control plane: the real kube-apiserver with RBAC, on the real etcd, on loopback. No controllers and
//! no nodes: what a test wants to be there, it creates.
//!
//! Starting takes seconds. Tests that only need objects share one ([`ControlPlane::shared`]), each in a namespace of
//! its own; tests that hurt it start their own, and the type says so: every fault needs `&mut`.

mod access;
mod apiserver;
pub(crate) mod daemon;
mod etcd;
mod guard;
mod objects;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use access::Access;
pub(crate) use guard::Guard;
pub use objects::Objects;

use crate::eventually;
use apiserver::Apiserver;
use daemon::Daemon;
use etcd::Etcd;

/// Where `cargo xtask setup-kube` says that the programs are.
const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// Machines that build at the same time take their time.
const START: Duration = Duration::from_secs(120);

/// One of the two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// etcd.
    Etcd,
    /// kube-apiserver.
    Apiserver,
}

/// See the module.
#[derive(Debug)]
pub struct ControlPlane {
    // Before the folder: what writes into it ends first.
    apiserver: Apiserver,
    etcd: Etcd,
    guard: Guard,
    folder: TempDir,
    admin: Access,
    /// How long it took from nothing until `/readyz`.
    pub ready_after: Duration,
}

impl ControlPlane {
    /// Starts one of its own.
    ///
    /// # Errors
    /// The programs are not there, or do not get ready.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts one of its own, with more flags for kube-apiserver.
    ///
    /// # Errors
    /// The programs are not there, or do not get ready.
    pub async fn start_with(flags: &[&str]) -> Result<Self> {
        let begin = Instant::now();
        let folder = tempfile::Builder::new().prefix("sealgate-kube").tempdir()?;
        let etcd = Etcd::new(folder.path(), program("etcd")?)?;
        let apiserver = Apiserver::new(folder.path(), program("kube-apiserver")?, etcd.port, flags)?;
        let mut plane = Self {
            admin: apiserver.admin(folder.path())?,
            guard: Guard::start(folder.path())?,
            apiserver,
            etcd,
            folder,
            ready_after: Duration::ZERO,
        };
        plane.spawn(Part::Etcd)?;
        plane.spawn(Part::Apiserver)?;
        plane.ready().await?;
        plane.ready_after = begin.elapsed();
        Ok(plane)
    }

    /// The one that all tests of a program share. It ends with the program, even if that is killed.
    ///
    /// # Errors
    /// It does not start.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// The account with all rights.
    #[must_use]
    pub fn admin(&self) -> &Access {
        &self.admin
    }

    /// A client with all rights. It works only in the runtime that created it, so each test needs its own.
    ///
    /// # Errors
    /// The library's.
    pub async fn client(&self) -> Result<Client> {
        self.admin.client().await
    }

    /// A new namespace, whose name begins so.
    ///
    /// # Errors
    /// It cannot be created.
    pub async fn namespace(&self, prefix: &str) -> Result<Objects> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let objects = Objects::new(self.client().await?, &name);
        let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {name} }}\n");
        objects.apply(&text).await?;
        Ok(objects)
    }

    /// A kubeconfig for a ServiceAccount, which is created if it is not there, with a token of one hour.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<Access> {
        let token = access::request_token(&self.client().await?, namespace, name).await?;
        self.admin.for_token(self.folder.path(), namespace, name, &token)
    }

    /// A token of a ServiceAccount for less than the ten minutes that the API server gives at least, signed with its
    /// own key. An API server believes a token that it has just seen for up to ten more seconds.
    ///
    /// # Errors
    /// The ServiceAccount is not there.
    pub async fn short_token(&self, namespace: &str, name: &str, lifetime: Duration) -> Result<String> {
        let uid = access::uid(&self.client().await?, namespace, name).await?;
        self.apiserver.sign(namespace, name, &uid, lifetime)
    }

    /// Ends a process at once (SIGKILL). Its port and data stay.
    ///
    /// # Errors
    /// The file system's.
    pub fn kill(&mut self, part: Part) -> Result<()> {
        self.daemon(part).kill();
        self.watch_over()
    }

    /// Ends a process as an operator would (SIGTERM), and waits for it.
    ///
    /// # Errors
    /// It does not end.
    pub fn stop(&mut self, part: Part) -> Result<()> {
        self.daemon(part).stop()?;
        self.watch_over()
    }

    /// Starts a killed or stopped process again, same port and data, without waiting for it.
    ///
    /// # Errors
    /// It runs, or cannot be run.
    pub fn spawn(&mut self, part: Part) -> Result<()> {
        self.daemon(part).start()?;
        self.watch_over()
    }

    /// Starts a killed or stopped process again, same port and data; gives how long it took to be ready.
    ///
    /// # Errors
    /// It does not get ready.
    pub async fn start_again(&mut self, part: Part) -> Result<Duration> {
        let begin = Instant::now();
        self.spawn(part)?;
        self.ready().await?;
        Ok(begin.elapsed())
    }

    /// Lets a process stand still with its connections open (SIGSTOP): everything about it is silent.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&mut self, part: Part) -> Result<()> {
        self.daemon(part).signal(rustix::process::Signal::STOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&mut self, part: Part) -> Result<()> {
        self.daemon(part).signal(rustix::process::Signal::CONT)
    }

    /// Forgets the history before the present revision. The API server answers from its own memory until it is
    /// restarted; then a watch from an older revision is 410 Gone.
    ///
    /// # Errors
    /// etcd does not answer.
    pub async fn compact(&self) -> Result<()> {
        self.etcd.compact().await
    }

    /// Waits until the API server is ready.
    ///
    /// # Errors
    /// It does not get ready, with the end of both logs.
    pub async fn ready(&self) -> Result<()> {
        let client = self.client().await?;
        let attempt = || async {
            let asked = client.request_text(http::Request::get("/readyz").body(Vec::new())?);
            let answer = tokio::time::timeout(Duration::from_secs(2), asked).await;
            // Asking more often would slow down what is awaited.
            tokio::time::sleep(Duration::from_millis(20)).await;
            ensure!(answer.context("/readyz is silent")?? == "ok", "/readyz is not ok");
            Ok(())
        };
        let ready = eventually("the API server gets ready", START, attempt).await;
        ready.with_context(|| {
            format!(
                "{}{}",
                self.apiserver.daemon.log_end(),
                self.etcd.daemon.log_end()
            )
        })
    }

    /// What a process holds in memory, in bytes.
    ///
    /// # Errors
    /// It does not run.
    pub fn resident(&self, part: Part) -> Result<u64> {
        match part {
            Part::Etcd => self.etcd.daemon.resident(),
            Part::Apiserver => self.apiserver.daemon.resident(),
        }
    }

    fn daemon(&mut self, part: Part) -> &mut Daemon {
        match part {
            Part::Etcd => &mut self.etcd.daemon,
            Part::Apiserver => &mut self.apiserver.daemon,
        }
    }

    fn watch_over(&mut self) -> Result<()> {
        let groups = [self.apiserver.daemon.group(), self.etcd.daemon.group()];
        self.guard.watch_over(groups.into_iter().flatten())
    }
}

fn program(name: &str) -> Result<PathBuf> {
    let folder = std::env::var_os(ASSETS)
        .with_context(|| format!("{ASSETS} is not set: run scripts/test, or `cargo xtask setup-kube`"))?;
    Ok(PathBuf::from(folder).join(name))
}
