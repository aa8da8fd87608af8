//! Plays `docs/journeys/compose.md` as a reader types it, in a copy of the folder.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::{FOLDER, fetched, scenario};
use crate::journey::shell::Shell;
use crate::run;

const PAGE: &str = "docs/journeys/compose.md";

/// Plays it with the existing images.
pub(super) fn play() -> Result<()> {
    let folder = env::temp_dir().join(format!("sealgate-compose-page-{}", std::process::id()));
    let done = in_copy(&folder);
    let _ = fs::remove_dir_all(&folder);
    done?;
    scenario::nothing_is_left()
}

fn in_copy(folder: &Path) -> Result<()> {
    let home = folder.join("home");
    let above = home.join(FOLDER);
    fs::create_dir_all(above.parent().unwrap_or(&home))?;
    run(Command::new("cp").arg("-r").arg(FOLDER).arg(&above))?;
    let mut shell = Shell::new(&home, &folder.join("state")).with("COMPOSE_PROJECT_NAME", scenario::PROJECT);
    if !has_plugin()? {
        let plugins = folder.join("docker/cli-plugins");
        fs::create_dir_all(&plugins)?;
        symlink(fs::canonicalize(fetched()?)?, plugins.join("docker-compose"))?;
        shell = shell.with("DOCKER_CONFIG", &folder.join("docker").display().to_string());
    }
    let done = shell.play(PAGE, |_| Ok(()));
    if done.is_err() {
        // As the page ends.
        let _ = shell.run(&format!(
            "cd {} && docker compose down --volumes --timeout 5",
            above.display()
        ));
    }
    done
}

fn has_plugin() -> Result<bool> {
    let mut version = Command::new("docker");
    version.args(["compose", "version"]);
    let quiet = version.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    Ok(quiet.success())
}
