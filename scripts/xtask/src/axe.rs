//! axe-core, with which the page's tests check accessibility: from npm, pinned in `tests/axe` with its hash.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::run;

/// Names another script; also tells the tests which one to use.
pub(crate) const SCRIPT: &str = "SEALGATE_AXE";
const PINNED: &str = "tests/axe";
const FILES: [&str; 2] = ["package.json", "package-lock.json"];
const TOOLS: &str = ".tools/axe";
const HOW: &str = "the page's tests check accessibility with axe-core: install npm to have it fetched, or name an axe.min.js in \
                   SEALGATE_AXE";

/// Gets it, unless it exists; returns the script's path.
pub(crate) fn get() -> Result<PathBuf> {
    if let Some(own) = env::var_os(SCRIPT).map(PathBuf::from) {
        ensure!(own.is_file(), "{SCRIPT}={}: no such file", own.display());
        return Ok(own);
    }
    let script = Path::new(TOOLS).join("node_modules/axe-core/axe.min.js");
    let [pinned, there] = [PINNED, TOOLS].map(|folder| fs::read(Path::new(folder).join(FILES[1])).ok());
    if pinned != there || !script.is_file() {
        fs::create_dir_all(TOOLS)?;
        for file in FILES {
            fs::copy(Path::new(PINNED).join(file), Path::new(TOOLS).join(file))?;
        }
        let arguments = [
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefix",
            TOOLS,
        ];
        run(Command::new("npm").args(arguments)).context(HOW)?;
    }
    Ok(fs::canonicalize(script)?)
}
