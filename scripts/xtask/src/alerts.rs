//! Tests the alert rules with Prometheus' promtool: each fires when it should, and only then.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::go_tool::PROMTOOL;
use crate::run;

const RULES: &str = "envoy/helm/sealgate/files/alerts.yaml";
/// Series, and the alerts that they make.
const TESTS: &str = "tests/alerts/tests.yaml";

/// Checks the rules, then tests them.
pub(crate) fn main() -> Result<()> {
    let promtool = PROMTOOL.get()?;
    let ask =
        |arguments: &[&str], path: &str| run(Command::new(&promtool).args(arguments).arg(Path::new(path)));
    ask(&["check", "rules", "--lint=all", "--lint-fatal"], RULES)?;
    ask(&["test", "rules"], TESTS)
}

#[cfg(test)]
mod tests;
