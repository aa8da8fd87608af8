//! What is downloaded as an archive.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::image::layer::{Tree, gzip};
use crate::version;

/// What comes with the program.
const PAPERS: [&str; 3] = ["LICENSE", "README.md", "CHANGELOG.md"];

/// The program with its papers, in a folder of its name.
pub(super) fn program(name: &str, program: &Path) -> Result<Vec<u8>> {
    let mut tree = Tree::default();
    tree.file(&format!("{name}/sealgate"), 0o755, fs::read(program)?);
    for paper in PAPERS {
        tree.file(&format!("{name}/{paper}"), 0o644, fs::read(paper).context(paper)?);
    }
    gzip(&tree.tar()?)
}

/// The chart as Helm packages it, or nothing if there is none.
pub(super) fn chart(folder: &Path) -> Result<Option<Vec<u8>>> {
    let description = folder.join("Chart.yaml");
    if !description.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&description)?;
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
    Ok(Some(gzip(&tree.tar()?)?))
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
