//! `cargo xtask deny`: what `deny.toml` says of what may be in the tree.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::run;
use crate::tools::Tool;

const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};
/// What needs nothing but the crates.
const OFFLINE: [&str; 3] = ["bans", "licenses", "sources"];
/// Checks all that can be checked here. The advisories are a Git repository of their own: where it cannot be fetched
/// and no copy of it is there, that is said, unless they are asked for.
#[expect(clippy::print_stdout, reason = "what was not checked has to be said")]
pub(crate) fn check(advisories: bool) -> Result<()> {
    let deny = DENY.get()?;
    run(command(&deny).arg("check").args(OFFLINE))?;
    // An advisory that is found fails as a fetch does: so they are fetched by themselves.
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
