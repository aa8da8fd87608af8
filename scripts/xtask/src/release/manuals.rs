//! Manual pages and completions, printed by the program itself. They are the same for all architectures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::trial::Program;
use crate::image::elf::Arch;

/// Shells, each with the file name that it looks for.
const SHELLS: [(&str, &str); 5] = [
    ("bash", "sealgate.bash"),
    ("elvish", "sealgate.elv"),
    ("fish", "sealgate.fish"),
    ("powershell", "_sealgate.ps1"),
    ("zsh", "_sealgate"),
];
/// Manual pages that must exist, among others.
const PAGES: [&str; 3] = ["sealgate.1", "sealgate-run.1", "sealgate-istio-sds.1"];

/// Files of the archive, by their names.
pub(crate) struct Manuals(pub(super) Vec<(String, Vec<u8>)>);

impl Manuals {
    /// From the first of these programs that can run here.
    pub(super) fn of_any(programs: &[(Arch, PathBuf)]) -> Result<Self> {
        let mut all = programs.iter().map(|(arch, path)| Program { path, arch: *arch });
        let program = all.find(Program::can_run);
        Self::of(&program.context("none of the programs can be run here, to print its manual")?)
    }

    /// From a program for this machine.
    pub(crate) fn of_own(path: &Path) -> Result<Self> {
        let arch = Arch::own();
        Self::of(&Program { path, arch })
    }

    fn of(program: &Program<'_>) -> Result<Self> {
        let mut files = Vec::new();
        for (shell, file) in SHELLS {
            let script = printed(program, &["completions", shell])?;
            files.push((format!("completions/{file}"), script));
        }
        let folder = std::env::temp_dir().join(format!("sealgate-manuals-{}", std::process::id()));
        printed(program, &["man", "--dir", &folder.display().to_string()])?;
        let mut pages = fs::read_dir(&folder)?.collect::<std::io::Result<Vec<_>>>()?;
        pages.sort_by_key(fs::DirEntry::file_name);
        for page in pages {
            let name = page.file_name().to_string_lossy().into_owned();
            files.push((format!("man/{name}"), fs::read(page.path())?));
        }
        fs::remove_dir_all(&folder)?;
        Ok(Self(files))
    }
}

fn printed(program: &Program<'_>, words: &[&str]) -> Result<Vec<u8>> {
    let output = program.command().args(words).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "sealgate {}: {said}", words.join(" "));
    Ok(output.stdout)
}

/// The names that an archive must have, among others.
pub(super) fn names() -> impl Iterator<Item = String> {
    let scripts = SHELLS.iter().map(|(_, file)| format!("completions/{file}"));
    scripts.chain(PAGES.iter().map(|page| format!("man/{page}")))
}
