//! Debian packages, if root may install them.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::run;

/// Whether a program is in `PATH`, or where only root looks.
pub(crate) fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.any(|folder| folder.join(program).is_file())
}

/// Whether this is root.
pub(crate) fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// Whether packages can be installed here.
pub(crate) fn is_here() -> Result<bool> {
    Ok(is_root()? && has("apt-get"))
}

/// Installs packages, and says so.
#[expect(clippy::print_stderr, reason = "what is installed is said")]
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let line = format!(
        "apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    );
    eprintln!("{line}");
    run(Command::new("apt-get").arg("update").stdout(Stdio::null()))?;
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    run(Command::new(program)
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null()))
}
