//! Accessing the cluster, as a user does.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::programs::Programs;

/// A busy machine may be slow.
const LIMIT: Duration = Duration::from_secs(180);

/// kubectl and Helm, with all permissions.
pub(super) struct Kubectl<'a> {
    programs: &'a Programs,
    access: PathBuf,
    /// Where Helm and kubectl keep their state, apart from the user's own folders.
    home: PathBuf,
}

impl<'a> Kubectl<'a> {
    pub(super) fn new(programs: &'a Programs, folder: &Path) -> Self {
        Self {
            programs,
            access: folder.join("admin.kubeconfig"),
            home: folder.join("home"),
        }
    }

    pub(super) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.programs.command(program);
        command
            .args(arguments)
            .env("KUBECONFIG", &self.access)
            .env("HOME", &self.home)
            .env_remove("HELM_NAMESPACE");
        command
    }

    /// The output of kubectl.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<String> {
        output(&mut self.command("kubectl", arguments))
    }

    /// Runs a command line, which must not contain quotes.
    pub(super) fn line(&self, text: &str) -> Result<String> {
        self.ask(&text.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs a command of a page, with its program.
    pub(super) fn typed(&self, command: &str) -> Result<String> {
        let (program, arguments) = command.split_once(' ').unwrap_or((command, ""));
        output(&mut self.command(program, &arguments.split_whitespace().collect::<Vec<_>>()))
    }
}

pub(super) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    let (said, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(
        output.status.success(),
        "{command:?}: {}: {said}{error}",
        output.status
    );
    Ok(said.trim().to_owned())
}

/// Retries until it succeeds; fails with the last reason.
pub(super) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Ok(seen) => return Ok(seen),
            Err(error) if begun.elapsed() > LIMIT => {
                return Err(error.context(format!("{what}: not within {LIMIT:?}")));
            }
            Err(_) => sleep(Duration::from_millis(200)),
        }
    }
}
