//! The versions in a release, each from a single place.

use std::env;
use std::process::Command;

/// Sealgate's own: `[workspace.package]` of `Cargo.toml`.
pub const OWN: &str = env!("CARGO_PKG_VERSION");
/// The variable that tells the agent's build the commit.
pub const COMMIT: &str = "SEALGATE_COMMIT";

/// The Envoy that tests and the demo run, and that `sealgate --version` names: `envoy/version`.
pub fn envoy() -> &'static str {
    include_str!("../../../envoy/version").trim_ascii_end()
}

/// The commit that is built, and whether there are changes since. Without a repository (as in a container's build), the
/// value of the variable.
pub fn commit() -> String {
    if let Ok(given) = env::var(COMMIT)
        && !given.is_empty()
    {
        return given;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim_end().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_none_or(|text| !text.is_empty());
    if changed {
        format!("{commit}-changed")
    } else {
        commit
    }
}
