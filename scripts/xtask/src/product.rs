//! Building Sealgate: the filter first, then the agent that contains it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{cargo, run};
use crate::setup::{WASM, targets};
use crate::{module, version};

/// The filter's file, next to the agent's.
pub const MODULE: &str = "sealgate_filter.wasm";
/// The same without support for running without an agent; the agent contains this one.
pub const AGENT_MODULE: &str = "sealgate_agent_filter.wasm";
/// The variable that tells the agent's build about it.
pub const FILTER: &str = "SEALGATE_FILTER_WASM";

/// Builds both; returns the agent's path.
pub fn build(debug: bool) -> Result<PathBuf> {
    if debug {
        return build_debug(&[]);
    }
    let folder = folder("release")?;
    let mut command = cargo(&["build", "--package", "sealgate-agent", "--release"]);
    // Not in the debug profile: with each commit, the agent would be rebuilt, and every test linked.
    command.env(version::COMMIT, version::commit());
    build_agent(&mut command, &build_filter(&folder)?)?;
    Ok(folder.join("sealgate"))
}

/// The same in the debug profile, with additional programs. Builds them as part of the whole workspace, like tests, so
/// that they share all builds.
pub fn build_debug(programs: &[&str]) -> Result<PathBuf> {
    let folder = folder("debug")?;
    let mut command = cargo(&["build", "--workspace", "--bin", "sealgate"]);
    command.args(programs.iter().flat_map(|name| ["--bin", name]));
    build_agent(&mut command, &build_filter(&folder)?)?;
    Ok(folder.join("sealgate"))
}

/// The folder to which cargo builds in this profile.
pub(crate) fn folder(profile: &str) -> Result<PathBuf> {
    Ok(fs::canonicalize("target")?.join(profile))
}

/// Runs a build of the agent with this filter in it.
pub(crate) fn build_agent(command: &mut Command, filter: &Path) -> Result<()> {
    run(command.env(FILTER, filter))
}

/// Builds the filter into a folder, and next to it the one for the agent; returns the path of the first.
pub fn build_filter(folder: &Path) -> Result<PathBuf> {
    build_agent_filter(folder)?;
    build_module(folder.join(MODULE), &[])
}

/// Builds only the one for the agent; returns its path.
pub fn build_agent_filter(folder: &Path) -> Result<PathBuf> {
    targets(&WASM[..1])?;
    build_module(folder.join(AGENT_MODULE), &["--no-default-features"])
}

fn build_module(path: PathBuf, features: &[&str]) -> Result<PathBuf> {
    let filter = [
        "--package",
        "sealgate-filter",
        "--profile",
        "filter",
        "--target",
        WASM[0],
    ];
    let mut command = cargo(&["rustc", "--lib"]);
    command.args(filter).args(features).env("RUSTFLAGS", remapped()?);
    run(command.args(["--", module::LINKED]))?;
    let built = fs::read("target/wasm32-wasip1/filter/sealgate_filter.wasm")?;
    module::check(&built).context("the filter's module")?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Writes only changes, so that cargo does not rebuild the agent.
    if fs::read(&path).ok().as_ref() != Some(&built) {
        fs::write(&path, built)?;
    }
    Ok(path)
}

/// Flags that keep names of local folders out of the build.
pub fn remapped() -> Result<String> {
    Ok(format!("--remap-path-prefix={}=cargo", cargo_home()?.display()))
}

fn cargo_home() -> Result<PathBuf> {
    let own = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    own.or_else(home)
        .context("neither CARGO_HOME nor a home is known")
}
