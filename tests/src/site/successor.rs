//! Envoy's hot restart: the next Envoy starts beside the running one, takes over its sockets once it has its
//! configuration, and the old one drains its clients.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{BOOTSTRAP, ENVOY_LOG, Envoy, Running, START, Site, program};
use crate::{client, eventually};

/// The id that consecutive Envoys share.
const BASE_ID: &str = "base-id";
/// Clients are asked to go for this long, more and more of them.
const DRAIN_S: &str = "5";
/// Then there is time for their last requests, and the one before ends.
const SHUTDOWN_S: &str = "8";

/// Runs the bootstrap of this folder.
pub(super) fn spawn(folder: &Path, epoch: u32) -> Result<Running> {
    let log = File::options().append(true).open(folder.join(ENVOY_LOG))?;
    let base_id = folder.join(BASE_ID);
    let mut command = Command::new(program("ENVOY_BIN")?);
    command.arg("-c").arg(folder.join(BOOTSTRAP));
    if epoch == 0 {
        command
            .args(["--use-dynamic-base-id", "--base-id-path"])
            .arg(base_id);
    } else {
        let base_id = fs::read_to_string(base_id)?;
        command.args(["--base-id", &base_id, "--restart-epoch", &epoch.to_string()]);
    }
    command
        .args(["--concurrency", "1", "--log-level", "warning"])
        .args(["--drain-time-s", DRAIN_S])
        .args(["--parent-shutdown-time-s", SHUTDOWN_S])
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(Running(command.spawn()?))
}

impl Envoy {
    /// The one that is to take its place; it does not wait for it.
    fn successor(&self) -> Result<Self> {
        let epoch = self.epoch + 1;
        Ok(Self {
            process: spawn(&self.folder, epoch)?,
            folder: self.folder.clone(),
            admin: self.admin,
            epoch,
        })
    }

    /// Whether it serves; the one before it answers at its admin port until it has begun.
    async fn has_taken_over(&self) -> Result<()> {
        let page = client::fetch_plain(self.admin, "localhost", "/server_info").await?;
        let page: Value = serde_json::from_str(&page.body)?;
        let epoch = &page["command_line_options"]["restart_epoch"];
        ensure!(
            page["state"] == "LIVE" && *epoch == self.epoch,
            "{}, epoch {epoch}",
            page["state"]
        );
        Ok(())
    }
}

impl Site {
    /// Starts the next Envoy beside the one that runs, without waiting for it.
    ///
    /// # Errors
    /// There is none, or it cannot be run.
    pub fn spawn_successor(&mut self) -> Result<()> {
        ensure!(self.former.is_none(), "another one has not ended yet");
        let envoy = self.envoy.as_mut().context("Envoy does not run")?;
        let next = envoy.successor()?;
        self.former = Some(std::mem::replace(envoy, next));
        Ok(())
    }

    /// Whether the next Envoy serves by now, or the one before it does.
    ///
    /// # Errors
    /// There is none.
    pub async fn successor_serves(&self) -> Result<bool> {
        let envoy = self.envoy.as_ref().context("Envoy does not run")?;
        Ok(envoy.has_taken_over().await.is_ok())
    }

    /// Waits until the next Envoy serves, and the one before it has ended.
    ///
    /// # Errors
    /// One of them does not.
    pub async fn successor_takes_over(&mut self) -> Result<()> {
        let envoy = self.envoy.as_ref().context("Envoy does not run")?;
        let serves = eventually("the next Envoy serves", START, || envoy.has_taken_over());
        serves.await.with_context(|| envoy.log())?;
        let mut former = self.former.take().context("there was no other Envoy")?;
        let ended = eventually("the Envoy before it ends", START, || {
            let ended = former.process.0.try_wait();
            async move { ended?.context("it runs") }
        });
        let status = ended.await.with_context(|| envoy.log())?;
        ensure!(status.success(), "the Envoy before it ended with {status}");
        Ok(())
    }
}
