//! The archives for download.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::manuals::Manuals;
use crate::image::layer::{Tree, gzip};
use crate::version;

/// Documents that come with the program.
const PAPERS: [&str; 3] = ["LICENSE", "README.md", "CHANGELOG.md"];

/// For installations without containers: `docs/journeys/vm.md`.
const UNITS: [(&str, u32); 4] = [
    ("sealgate.service", 0o644),
    ("envoy.service", 0o644),
    ("envoy-hot-restart", 0o755),
    ("sysusers.conf", 0o644),
];

/// The program with its documents, manuals and units, in a folder of its name.
pub(crate) fn program(name: &str, program: &Path, manuals: &Manuals) -> Result<Vec<u8>> {
    let mut tree = Tree::default();
    tree.file(&format!("{name}/sealgate"), 0o755, fs::read(program)?);
    for paper in PAPERS {
        tree.file(&format!("{name}/{paper}"), 0o644, fs::read(paper).context(paper)?);
    }
    for (file, content) in &manuals.0 {
        tree.file(&format!("{name}/{file}"), 0o644, content.clone());
    }
    for (file, mode) in UNITS {
        let content = fs::read(format!("envoy/systemd/{file}")).context(file)?;
        tree.file(&format!("{name}/systemd/{file}"), mode, content);
    }
    gzip(&tree.tar()?)
}

/// The chart's file.
pub(super) fn chart_name() -> String {
    format!("sealgate-chart-{}.tgz", version::OWN)
}

/// The chart as Helm packages it.
pub(super) fn chart(folder: &Path) -> Result<Vec<u8>> {
    let description = folder.join("Chart.yaml");
    let text = fs::read_to_string(&description).with_context(|| description.display().to_string())?;
    for key in ["version", "appVersion"] {
        let wanted = version::OWN;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{key}:")));
        let seen = line
            .with_context(|| format!("{key} is missing"))?
            .trim()
            .trim_matches('"');
        ensure!(
            seen == wanted,
            "{}: {key} is {seen}, not {wanted}",
            description.display()
        );
    }
    let mut tree = Tree::default();
    add(&mut tree, folder, "sealgate")?;
    gzip(&tree.tar()?)
}

fn add(tree: &mut Tree, folder: &Path, name: &str) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add(tree, &entry.path(), &name)?;
        } else {
            tree.file(&name, 0o644, fs::read(entry.path())?);
        }
    }
    Ok(())
}
