//! Builds the Dockerfile's last stage from the files that its first one would make, and compares it with the image that
//! is packed without an engine.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::engine;
use super::scenario::{docker, output};
use crate::image::{self, layer::Tree};
use crate::version;

const STAGE: &str = "sealgate-test-build:latest";
const BUILT: &str = "sealgate-test-image:latest";

/// Builds it, and compares.
pub(super) fn compare(files: &Tree) -> Result<()> {
    engine::load(&image::plain(STAGE, &files.below("image"), "none")?.archive)?;
    let text = fs::read_to_string("Dockerfile")?;
    let start = text.rfind("\nFROM ").context("the Dockerfile has no stages")?;
    let last = format!("FROM {STAGE} AS build{}", &text[start..]);
    let folder = std::env::temp_dir().join(format!("sealgate-dockerfile-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("Dockerfile"), last)?;
    let mut build = Command::new("docker");
    // The classic builder does what this stage needs, and needs no plugin.
    build
        .args(["build", "--quiet", "--tag", BUILT])
        .arg(&folder)
        .env("DOCKER_BUILDKIT", "0");
    let built = output(&mut build);
    fs::remove_dir_all(&folder)?;
    built?;
    let packed = format!("{}:{}", image::AGENT, version::OWN);
    let same = config(BUILT)? == config(&packed)? && listing(BUILT)? == listing(&packed)?;
    let seen = format!("{:?} {:?}", config(BUILT)?, listing(BUILT)?);
    docker(&["image", "rm", BUILT, STAGE])?;
    ensure!(
        same,
        "the Dockerfile makes another image than `cargo xtask image`: {seen}, not {:?} {:?}",
        config(&packed)?,
        listing(&packed)?
    );
    Ok(())
}

/// The image's configuration for running it.
fn config(image: &str) -> Result<Vec<Value>> {
    let text = docker(&["image", "inspect", "--format", "{{json .Config}}", image])?;
    let config: Value = serde_json::from_str(&text)?;
    Ok(["User", "Env", "Entrypoint", "Cmd", "WorkingDir"]
        .map(|key| config[key].clone())
        .to_vec())
}

/// The image's own files and folders, with type, mode, owner and size. Their parent folders are not compared.
fn listing(image: &str) -> Result<Vec<String>> {
    let container = docker(&["create", image])?;
    let mut export = Command::new("docker")
        .args(["export", &container])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut archive = tar::Archive::new(export.stdout.take().context("no standard output")?);
    let mut lines = Vec::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().trim_end_matches('/').to_owned();
        let header = entry.header();
        if ["usr/bin/", "run/sealgate", "var/lib/sealgate"]
            .iter()
            .any(|own| path.starts_with(own))
        {
            let owner = (header.uid()?, header.gid()?);
            lines.push(format!(
                "{path} {:o} {owner:?} {}",
                header.mode()?,
                header.size()?
            ));
        }
    }
    export.wait()?;
    docker(&["rm", &container])?;
    lines.sort();
    Ok(lines)
}
