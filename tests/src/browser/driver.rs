//! ChromeDriver, and the few words of WebDriver that it is told.

use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
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
use crate::site::free_port;

pub(super) const HOW: &str = "the page's tests drive the real Chromium: on Debian, apt-get install chromium chromium-driver; elsewhere, \
                              put chromedriver into PATH or name it in SEALGATE_CHROMEDRIVER, and a browser of its version that it does \
                              not find in SEALGATE_CHROMIUM";
const START: Duration = Duration::from_secs(30);
/// Longer than any script of a test may take.
const LIMIT: Duration = Duration::from_secs(150);

/// A running driver; it ends with this value, and its browsers with it.
pub(super) struct Driver {
    child: Child,
    port: u16,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // What it does not hear it does not have to: its browsers end with the pipe to them.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `SEALGATE_CHROMEDRIVER`, or the folder that machines of GitHub name, or what is in `PATH`.
fn program() -> PathBuf {
    let own = env::var_os("SEALGATE_CHROMEDRIVER").map(PathBuf::from);
    let folder = || env::var_os("CHROMEWEBDRIVER").map(|folder| PathBuf::from(folder).join("chromedriver"));
    own.or_else(folder).unwrap_or_else(|| "chromedriver".into())
}

impl Driver {
    pub(super) async fn start() -> Result<Self> {
        let port = free_port()?;
        let program = program();
        let child = Command::new(&program)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{}: {HOW}", program.display()))?;
        let driver = Self { child, port };
        let is_ready = || async {
            let status = driver.ask("GET", "/status", None).await?;
            ensure!(status["ready"] == true, "{status}");
            Ok(())
        };
        eventually("the driver starts", START, is_ready).await?;
        Ok(driver)
    }

    /// One command; gives its value.
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
