//! promtool, built from its Go module, pinned in `tests/promtool`: about four minutes of one core, once. What finds scrape
//! targets in clouds is left out: rules need none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::kube::go_build;
use crate::run;

const MODULE: &str = "tests/promtool";
const PACKAGE: &str = "github.com/prometheus/prometheus/cmd/promtool";
const TOOLS: &str = ".tools/promtool";
const FLAGS: &str = "-tags=remove_all_sd";
const HOW: &str = "promtool is built from its Go module: install Go 1.26.7 or later (https://go.dev/dl)";

/// The program.
pub(crate) fn setup() -> Result<PathBuf> {
    let tools = Path::new(TOOLS);
    let (program, stamp) = (tools.join("promtool"), tools.join("sealgate-stamp"));
    let wanted = fs::read_to_string(Path::new(MODULE).join("go.sum"))?;
    if !program.is_file() || fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        build(tools)?;
        fs::write(stamp, wanted)?;
    }
    Ok(fs::canonicalize(program)?)
}

/// As Helm is: in a folder of this process, and moved out of it when it is whole.
#[expect(
    clippy::print_stderr,
    reason = "Go is silent for minutes: say what is going on"
)]
fn build(tools: &Path) -> Result<()> {
    ensure!(Command::new("go").arg("version").output().is_ok(), HOW);
    eprintln!("building promtool into {TOOLS}, once: some minutes");
    fs::create_dir_all(tools)?;
    let scratch = fs::canonicalize(tools)?.join(format!("build-{}", std::process::id()));
    let mut command = go_build(MODULE, &scratch, "promtool", PACKAGE, "-s -w");
    let built = run(command.env("GOFLAGS", FLAGS)).context("promtool cannot be built");
    let moved = built.and_then(|()| Ok(fs::rename(scratch.join("promtool"), tools.join("promtool"))?));
    let _ = fs::remove_dir_all(&scratch);
    moved
}
