//! The load: a program of the module in `tests/cluster`, which reports what it saw.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::addresses::GATEWAY;
use super::programs::Programs;

/// The minimum load in a second, for each kind of client and for all together.
const LEAST: f64 = 20.0;

/// The totals since its start.
#[derive(Debug, Deserialize)]
pub(super) struct Totals {
    pub(super) seconds: f64,
    requests: BTreeMap<String, u64>,
    /// By the certificate's serial number, since totals were last requested.
    pub(super) connections: BTreeMap<String, u64>,
    pub(super) closes: u64,
    pub(super) again: u64,
    pub(super) failed: u64,
    failures: Vec<String>,
}

impl Totals {
    pub(super) fn requests(&self) -> u64 {
        self.requests.values().sum()
    }

    /// Checks that nothing failed for any kind of client, and that there was enough load.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(
            self.failed == 0,
            "{} requests failed: {:#?}",
            self.failed,
            self.failures
        );
        let idle: Vec<&String> = self
            .requests
            .iter()
            .filter(|(_, count)| **count == 0)
            .map(|(kind, _)| kind)
            .collect();
        ensure!(idle.is_empty(), "clients without an answer: {idle:?}");
        let rate = self.requests() as f64 / self.seconds;
        ensure!(rate >= LEAST, "only {rate:.0} requests a second");
        Ok(())
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} requests in {:.0} s, {} failed; {} answers said `connection: close` or came before GOAWAY, {} were retried as HTTP/2 allows",
            self.requests(),
            self.seconds,
            self.failed,
            self.closes,
            self.again
        )
    }
}

/// A running load. It ends with its standard input.
pub(super) struct Load {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Load {
    pub(super) fn start(programs: &Programs, authority: &Path) -> Result<Self> {
        let mut command = programs.command("load");
        command.args(["-address", GATEWAY, "-authority"]).arg(authority);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, input, output })
    }

    /// The totals so far.
    pub(super) fn totals(&mut self) -> Result<Totals> {
        self.input.write_all(b"\n")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the load ended: {line:?}"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
