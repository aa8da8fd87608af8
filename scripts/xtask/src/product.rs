//! Sealgate as it is built: the filter first, then the agent that carries it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{cargo, run};
use crate::setup::{WASM, targets};
use crate::{module, version};

/// The filter's file, beside the agent's.
pub const MODULE: &str = "sealgate_filter.wasm";
/// The same without what takes no agent; the agent carries this one.
pub const AGENT_MODULE: &str = "sealgate_agent_filter.wasm";
/// By this variable the agent's build learns of it.
pub const FILTER: &str = "SEALGATE_FILTER_WASM";

/// Builds both; gives the agent's path.
pub fn build(debug: bool) -> Result<PathBuf> {
    if debug {
        return build_debug(&[]);
    }
    let folder = folder("release")?;
    let mut command = cargo(&["build", "--package", "sealgate-agent", "--release"]);
    // Not in the debug profile: each commit would have the agent built again, and every test linked.
    command.env(version::COMMIT, version::commit());
    build_agent(&mut command, &build_filter(&folder)?)?;
    Ok(folder.join("sealgate"))
}

/// The same in the debug profile, with programs beside it. Of the whole workspace, as tests are built: so what is built
/// for one of them is there for all.
pub fn build_debug(programs: &[&str]) -> Result<PathBuf> {
    let folder = folder("debug")?;
    let mut command = cargo(&["build", "--workspace", "--bin", "sealgate"]);
    command.args(programs.iter().flat_map(|name| ["--bin", name]));
    build_agent(&mut command, &build_filter(&folder)?)?;
    Ok(folder.join("sealgate"))
}

/// Where cargo puts what it builds in this profile.
pub(crate) fn folder(profile: &str) -> Result<PathBuf> {
    Ok(fs::canonicalize("target")?.join(profile))
}

/// Runs a build of the agent, which carries this filter.
pub(crate) fn build_agent(command: &mut Command, filter: &Path) -> Result<()> {
    run(command.env(FILTER, filter))
}

/// Builds the filter into a folder, and beside it the one that the agent carries; gives the path of the first.
pub fn build_filter(folder: &Path) -> Result<PathBuf> {
    build_agent_filter(folder)?;
    build_module(folder.join(MODULE), &[])
}

/// Builds only the one that the agent carries; gives its path.
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
    // Left alone if equal, so that cargo does not build the agent again.
    if fs::read(&path).ok().as_ref() != Some(&built) {
        fs::write(&path, built)?;
    }
    Ok(path)
}

/// What is built names no folder of whoever built it.
pub fn remapped() -> Result<String> {
    Ok(format!("--remap-path-prefix={}=cargo", cargo_home()?.display()))
}

fn cargo_home() -> Result<PathBuf> {
    let own = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = || env::home_dir().map(|home| home.join(".cargo"));
    own.or_else(home)
        .context("neither CARGO_HOME nor a home is known")
}
