//! Constant requests while a page is played: on a persistent connection, and each on a new one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The rate of each kind in a second.
const RATE: u32 = 20;
const ANSWER: &str = "%{http_code} %{errormsg}\\n";

/// Clients that send requests until they are ended.
pub(super) struct Load {
    clients: Vec<(Child, PathBuf)>,
}

impl Load {
    /// Requests a page of a host at an address.
    pub(super) fn start(host: &str, address: &str, folder: &Path) -> Result<Self> {
        // The host's certificate is self-signed, and changes meanwhile.
        let curl = format!(
            "curl --silent --insecure --output /dev/null --max-time 10 --resolve {host}:443:{address} --write-out '{ANSWER}'"
        );
        let kept = format!("exec {curl} --rate {RATE}/s 'https://{host}/?[1-1000000]'");
        let new = format!("while sleep 0.05; do {curl} https://{host}/ || true; done");
        let mut clients = Vec::new();
        for (name, script) in [("kept", kept), ("new", new)] {
            let answers = folder.join(format!("{name}.answers"));
            let child = Command::new("bash")
                .args(["-c", &script])
                .stdin(Stdio::null())
                .stdout(fs::File::create(&answers)?)
                .stderr(Stdio::null())
                .spawn()?;
            clients.push((child, answers));
        }
        Ok(Self { clients })
    }

    /// Ends it; returns what was seen, if nothing failed.
    pub(super) fn end(mut self) -> Result<String> {
        let mut counts = Vec::new();
        for (child, answers) in &mut self.clients {
            ensure!(child.try_wait()?.is_none(), "a client ended by itself");
            child.kill()?;
            child.wait()?;
            let text = fs::read_to_string(&answers)?;
            // An answer that was cut off when the client ended does not count.
            let (whole, _) = text.rsplit_once('\n').context("no answers at all")?;
            let bad: Vec<&str> = whole.lines().filter(|line| !line.starts_with("200 ")).collect();
            ensure!(bad.is_empty(), "{} requests failed: {bad:?}", bad.len());
            counts.push(whole.lines().count());
        }
        Ok(format!(
            "{counts:?} requests on kept and new connections, 0 failed"
        ))
    }
}
