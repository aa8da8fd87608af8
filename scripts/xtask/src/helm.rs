//! Helm, built from its Go module, pinned in `tests/helm`: about five minutes of one core, once. So only what needs it
//! builds it, and `scripts/test` does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::kube::go_build;
use crate::run;

const MODULE: &str = "tests/helm";
const PACKAGE: &str = "helm.sh/helm/v4/cmd/helm";
const TOOLS: &str = ".tools/helm";
const HOW: &str = "Helm is built from its Go module: install Go 1.26 or later (https://go.dev/dl)";

/// The program.
pub(crate) fn setup() -> Result<PathBuf> {
    let tools = Path::new(TOOLS);
    let (program, stamp) = (tools.join("helm"), tools.join("sealgate-stamp"));
    let wanted = fs::read_to_string(Path::new(MODULE).join("go.sum"))?;
    if !program.is_file() || fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        build(tools)?;
        fs::write(stamp, wanted)?;
    }
    Ok(fs::canonicalize(program)?)
}

/// As kube-apiserver is: in a folder of this process, and moved out of it when it is whole.
#[expect(
    clippy::print_stderr,
    reason = "Go is silent for minutes: say what is going on"
)]
fn build(tools: &Path) -> Result<()> {
    ensure!(Command::new("go").arg("version").output().is_ok(), HOW);
    eprintln!("building Helm into {TOOLS}, once: some minutes");
    fs::create_dir_all(tools)?;
    let scratch = fs::canonicalize(tools)?.join(format!("build-{}", std::process::id()));
    let built =
        run(&mut go_build(MODULE, &scratch, "helm", PACKAGE, "-s -w")).context("Helm cannot be built");
    let moved = built.and_then(|()| Ok(fs::rename(scratch.join("helm"), tools.join("helm"))?));
    let _ = fs::remove_dir_all(&scratch);
    moved
}
