//! `cargo xtask deny`: checks dependencies by `deny.toml`.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::run;
use crate::tools::Tool;

const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};
/// Checks that only need the crates.
const OFFLINE: [&str; 3] = ["bans", "licenses", "sources"];
/// Checks all that can be checked here. The advisories are in a separate Git repository: if it cannot be fetched and
/// there is no copy, that is only reported, unless they are required.
#[expect(clippy::print_stdout, reason = "what was not checked has to be said")]
pub(crate) fn check(advisories: bool) -> Result<()> {
    let deny = DENY.get()?;
    run(command(&deny).arg("check").args(OFFLINE))?;
    // A found advisory and a failed fetch look the same, so they are fetched separately.
    if !command(&deny).args(["fetch", "db"]).status()?.success() {
        ensure!(!advisories, "the advisories cannot be fetched");
        println!("NOT CHECKED: advisories (RustSec's database cannot be fetched here)");
        return Ok(());
    }
    run(command(&deny).args(["check", "--disable-fetch", "advisories"]))
}

fn command(deny: &Path) -> Command {
    let mut command = Command::new(deny);
    command.arg("--all-features");
    command
}
