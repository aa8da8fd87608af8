//! A process that can be ended, restarted, and paused.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a clean stop may take.
const STOP: Duration = Duration::from_secs(30);

/// A command line, and its process in its own process group. It ends with the value.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    folder: Option<PathBuf>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl Daemon {
    /// Not started yet; its log is in `folder`.
    pub(crate) fn new(name: &'static str, program: PathBuf, arguments: Vec<String>, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        Self {
            name,
            program,
            arguments,
            log,
            folder: None,
            environment: Vec::new(),
            child: None,
        }
    }

    /// The same, run in this folder, with additional environment variables.
    pub(crate) fn within(mut self, folder: &Path, environment: &[(&str, String)]) -> Self {
        let owned = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        self.folder = Some(folder.to_owned());
        self.environment = owned.collect();
        self
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let child = command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        self.child = Some(child);
        Ok(())
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        let _ = self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + STOP;
        while let Some(child) = &mut self.child {
            if child.try_wait()?.is_some() {
                self.child = None;
            } else {
                ensure!(
                    Instant::now() < deadline,
                    "{} does not end within {STOP:?}",
                    self.name
                );
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let group = self
            .group()
            .with_context(|| format!("{} does not run", self.name))?;
        Ok(kill_process_group(group, signal)?)
    }

    pub(crate) fn group(&self) -> Option<Pid> {
        self.child.as_ref().map(Pid::from_child)
    }

    /// In bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        let process = self
            .group()
            .with_context(|| format!("{} does not run", self.name))?;
        let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: u64 = line.context("VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }

    /// The last lines of its log, for a failure.
    pub(crate) fn log_end(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default();
        format!("{}:\n{}\n", self.name, last.join("\n"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
