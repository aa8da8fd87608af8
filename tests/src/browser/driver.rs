//! ChromeDriver, and the few WebDriver commands that the tests need.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::eventually;
use crate::kube::Guard;
use crate::kube::daemon::Daemon;
use crate::site::free_port;

pub(super) const HOW: &str = "the page's tests drive the real Chromium: on Debian, apt-get install chromium chromium-driver; elsewhere, \
                              put chromedriver into PATH or name it in SEALGATE_CHROMEDRIVER, and a browser of its version that it does \
                              not find in SEALGATE_CHROMIUM";
const START: Duration = Duration::from_secs(30);
/// Longer than any script in a test may take.
const LIMIT: Duration = Duration::from_secs(150);

/// A running driver. It ends with this value, and so do its browsers: they are in its process group, as they would not
/// end with the driver alone. If the test program is killed, the guard ends them.
pub(super) struct Driver {
    // The order matters: they end in this order.
    daemon: Daemon,
    guard: Guard,
    port: u16,
}

/// `SEALGATE_CHROMEDRIVER`, or the folder that machines of GitHub name, or what is in `PATH`.
fn program() -> PathBuf {
    let own = env::var_os("SEALGATE_CHROMEDRIVER").map(PathBuf::from);
    let folder = || env::var_os("CHROMEWEBDRIVER").map(|folder| PathBuf::from(folder).join("chromedriver"));
    own.or_else(folder).unwrap_or_else(|| "chromedriver".into())
}

impl Driver {
    /// It and its browsers write into this folder, which is removed with them.
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let daemon = Daemon::new("chromedriver", program(), vec![format!("--port={port}")], folder);
        // A killed browser leaves files there.
        let temporary = [("TMPDIR", folder.display().to_string())];
        let mut driver = Self {
            daemon: daemon.within(&env::current_dir()?, &temporary),
            guard: Guard::start(folder)?,
            port,
        };
        driver.daemon.start().context(HOW)?;
        driver.guard.watch_over(driver.daemon.group().into_iter())?;
        let is_ready = || async {
            let status = driver.ask("GET", "/status", None).await?;
            ensure!(status["ready"] == true, "{status}");
            Ok(())
        };
        let ready = eventually("the driver starts", START, is_ready).await;
        ready.with_context(|| driver.daemon.log_end())?;
        Ok(driver)
    }

    /// Sends one command; returns its value.
    pub(super) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let asked = tokio::time::timeout(LIMIT, self.exchange(method, path, body));
        let mut answer = asked.await.with_context(|| format!("{path} takes too long"))??;
        let value = answer["value"].take();
        match value["error"].as_str().zip(value["message"].as_str()) {
            Some((error, message)) => bail!("{error}: {}", message.lines().next().unwrap_or_default()),
            None => Ok(value),
        }
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = sender.send_request(request).await?.into_body().collect().await?;
        Ok(serde_json::from_slice(&answer.to_bytes())?)
    }
}
