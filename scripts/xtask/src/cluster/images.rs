//! The images of all pods, packed from files: those of `cargo xtask image`, and those that compose's test uses in place
//! of others.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::programs::Programs;
use crate::compose::standin;
use crate::image::elf::Arch;
use crate::image::layer::Tree;
use crate::{image, version};

const PAUSE: &str = "localhost/pause:1";

/// Gets the programs of others.
pub(super) fn fetch() -> Result<()> {
    standin::fetch()
}

/// Packs them into a folder; returns the archives.
pub(super) fn pack(folder: &Path, programs: &Programs, agent: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let mut pause = Tree::default();
    pause.file("usr/bin/pause", 0o755, fs::read(programs.pause())?);
    let arch = Arch::own();
    let own = image::agent(&image::agent_files(agent, arch)?, arch)?;
    let mut archives = vec![
        ("pause".to_owned(), image::plain(PAUSE, &pause, "pause")?),
        ("agent".to_owned(), own),
    ];
    for (name, files, command) in standin::contents()? {
        archives.push((command.to_owned(), image::plain(&full(&name), &files, command)?));
    }
    let written = archives.into_iter().map(|(name, packed)| {
        let path = folder.join(format!("{name}.tar"));
        fs::write(&path, packed.archive)?;
        Ok(path)
    });
    written.collect()
}

/// The names of the agent's image in the chart, and in its next version.
pub(super) fn agent_names() -> [String; 2] {
    let name = |tag: &str| format!("{}:{tag}", image::AGENT);
    [name(version::OWN), name(&next())]
}

/// The version after this one.
pub(super) fn next() -> String {
    format!("{}-next", version::OWN)
}

/// The name in containerd's form: with its registry.
fn full(name: &str) -> String {
    match name.split_once('/') {
        None => format!("docker.io/library/{name}"),
        Some((registry, _)) if !registry.contains('.') => format!("docker.io/{name}"),
        Some(_) => name.to_owned(),
    }
}
