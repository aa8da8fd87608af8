//! Programs from crates.io, each at a pinned version, built once under .tools/cargo.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::{cargo, run};

const FOLDER: &str = ".tools/cargo";

/// A program, by its crate and version.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Tool {
    /// The program, built if that version does not exist yet.
    #[expect(
        clippy::print_stderr,
        reason = "cargo is silent for minutes: say what is going on"
    )]
    pub(crate) fn get(&self) -> Result<PathBuf> {
        let folder = Path::new(FOLDER).join(format!("{}-{}", self.name, self.version));
        let program = folder.join("bin").join(self.name);
        if program.is_file() {
            return Ok(fs::canonicalize(program)?);
        }
        eprintln!(
            "building {} {} into {FOLDER}; this happens once and takes some minutes",
            self.name, self.version
        );
        // Its release profile would use LTO: minutes more, for a program that runs for seconds.
        let mut install = cargo(&[
            "install",
            "--quiet",
            "--locked",
            "--version",
            self.version,
            "--root",
        ]);
        install
            .arg(&folder)
            .arg(self.name)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            // In a folder that is removed with it: compiled crates are useless afterwards.
            .env("CARGO_TARGET_DIR", folder.join("target"));
        run(&mut install).with_context(|| format!("{} {}", self.name, self.version))?;
        fs::remove_dir_all(folder.join("target"))?;
        Ok(fs::canonicalize(program)?)
    }
}
