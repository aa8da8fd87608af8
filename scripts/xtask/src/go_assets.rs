//! Programs and files of another project, from its Go module: pinned in a module of ours below `tests`, and built and
//! copied once into a folder below `.tools`. Only the tests that run the project need them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask::kube::{Scratch, go_build};
use xtask::process::run;

/// What is made from a module.
pub(crate) struct GoAssets {
    /// The folder of our module below `tests`, and of the result below `.tools`.
    pub(crate) name: &'static str,
    /// The project's module.
    pub(crate) module: &'static str,
    /// Programs, and the package that makes each.
    pub(crate) programs: &'static [(&'static str, &'static str)],
    /// Files and folders, and where the project's module has each.
    pub(crate) files: &'static [(&'static str, &'static str)],
}

impl GoAssets {
    /// The folder of the programs and files, built if the module has changed.
    pub(crate) fn get(&self) -> Result<PathBuf> {
        let tools = Path::new(".tools").join(self.name);
        let stamp = tools.join("sealgate-stamp");
        let wanted = fs::read_to_string(Path::new(&self.pinned()).join("go.sum"))?;
        if fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
            self.make(&tools)?;
            fs::write(stamp, wanted)?;
        }
        Ok(fs::canonicalize(tools)?)
    }

    fn pinned(&self) -> String {
        format!("tests/{}", self.name)
    }

    #[expect(
        clippy::print_stderr,
        reason = "Go is silent for minutes: say what is going on"
    )]
    fn make(&self, tools: &Path) -> Result<()> {
        let names: Vec<&str> = self.programs.iter().map(|(name, _)| *name).collect();
        let names = names.join(" and ");
        ensure!(
            Command::new("go").arg("version").output().is_ok(),
            "{names}: built from Go modules; install Go 1.26 or later (https://go.dev/dl)"
        );
        eprintln!(
            "building {names} into {}; this happens once and takes many minutes",
            tools.display()
        );
        fs::create_dir_all(tools)?;
        let scratch = Scratch::new()?;
        for (name, package) in self.programs {
            run(&mut go_build(
                &self.pinned(),
                scratch.path(),
                name,
                package,
                "-s -w",
            ))
            .with_context(|| format!("{name} cannot be built"))?;
            fs::rename(scratch.path().join(name), tools.join(name))?;
        }
        let source = self.source()?;
        for (name, path) in self.files {
            let copied = copy(&source.join(path), &tools.join(name));
            copied.with_context(|| format!("{}: {path}", self.module))?;
        }
        Ok(())
    }

    /// Where Go keeps the project's source.
    fn source(&self) -> Result<PathBuf> {
        let listed = Command::new("go")
            .args(["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", self.module])
            .current_dir(self.pinned())
            .env("GOTOOLCHAIN", "local")
            .output()?;
        ensure!(
            listed.status.success(),
            "go list: {}",
            String::from_utf8_lossy(&listed.stderr)
        );
        Ok(PathBuf::from(String::from_utf8(listed.stdout)?.trim()))
    }
}

/// Go's files are read-only, but the copies must be replaceable, so only contents are copied.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return Ok(fs::write(to, fs::read(from)?)?);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_copied_with_those_below_it_and_can_be_replaced() {
        let folder = std::env::temp_dir().join(format!("sealgate-go-assets-{}", std::process::id()));
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::create_dir_all(from.join("below")).unwrap();
        for text in ["old", "new"] {
            fs::write(from.join("below/file"), text).unwrap();
            copy(&from, &to).unwrap();
            assert_eq!(fs::read_to_string(to.join("below/file")).unwrap(), text);
        }
        let mut rights = fs::metadata(from.join("below/file")).unwrap().permissions();
        rights.set_readonly(true);
        fs::set_permissions(from.join("below/file"), rights).unwrap();
        copy(&from, &to).unwrap();
        copy(&from, &to).unwrap();
        assert!(copy(&folder.join("nothing"), &to).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
