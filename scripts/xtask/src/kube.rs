//! The kube-apiserver and etcd that the tests run. No package manager has them as binaries, so they are built once from
//! their Go modules, pinned in `tests/kube`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::process::run;

/// The variable that other projects use for the same two programs.
pub const ASSETS: &str = "KUBEBUILDER_ASSETS";
const CACHE: &str = "GOCACHE";
const MODULE: &str = "tests/kube";
const TOOLS: &str = ".tools/kube";
/// Programs and their packages. The small one first: problems with Go show immediately.
const PROGRAMS: [(&str, &str); 2] = [("etcd", "./etcd"), ("kube-apiserver", "./apiserver")];
/// The files that the programs depend on: a change in any of them needs a new build.
const SOURCES: [&str; 4] = ["go.mod", "go.sum", "etcd/main.go", "apiserver/main.go"];
const HOW: &str = "the Kubernetes tests run kube-apiserver and etcd: install Go 1.26 or later (https://go.dev/dl) \
                   to have them built, or set KUBEBUILDER_ASSETS to a folder that holds both";

/// A folder for Go builds and their cache, removed with this value. Consecutive builds in one share the cache.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one below .tools, so that a program can be moved out of it.
    pub fn new() -> Result<Self> {
        fs::create_dir_all(".tools")?;
        let name = format!("go-build-{}", std::process::id());
        Ok(Self(fs::canonicalize(".tools")?.join(name)))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The folder of both programs.
pub fn setup() -> Result<PathBuf> {
    setup_in(&Scratch::new()?)
}

/// The same, built in `scratch` if necessary.
pub fn setup_in(scratch: &Scratch) -> Result<PathBuf> {
    if let Some(folder) = env::var_os(ASSETS).map(PathBuf::from) {
        ensure!(
            complete(&folder),
            "{ASSETS}={} lacks kube-apiserver or etcd",
            folder.display()
        );
        return Ok(folder);
    }
    let tools = Path::new(TOOLS);
    let stamp = tools.join("sealgate-stamp");
    let wanted = sources(Path::new(MODULE))?;
    if !complete(tools) || fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        build(tools, scratch.path())?;
        fs::write(stamp, wanted)?;
    }
    Ok(fs::canonicalize(tools)?)
}

fn complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|(name, _)| folder.join(name).is_file())
}

fn sources(module: &Path) -> Result<String> {
    let texts = SOURCES
        .iter()
        .map(|name| fs::read_to_string(module.join(name)).context(*name));
    texts.collect()
}

/// Builds in a folder of this process, then moves the programs: a concurrent setup, or an interrupted build, never
/// leaves an incomplete program.
#[expect(
    clippy::print_stderr,
    reason = "Go is silent for minutes: say what is going on"
)]
fn build(tools: &Path, scratch: &Path) -> Result<()> {
    ensure!(Command::new("go").arg("version").output().is_ok(), HOW);
    eprintln!("building kube-apiserver and etcd into {TOOLS}; this happens once and takes some minutes");
    fs::create_dir_all(tools)?;
    let flags = linker_flags(&fs::read_to_string(Path::new(MODULE).join("go.mod"))?)?;
    PROGRAMS.iter().try_for_each(|(name, package)| {
        run(&mut go_build(MODULE, scratch, name, package, &flags))
            .with_context(|| format!("{name} cannot be built"))?;
        Ok(fs::rename(scratch.join(name), tools.join(name))?)
    })
}

/// Without symbols, and with the version that the API server reports, which is normally set by its own scripts.
pub fn linker_flags(module: &str) -> Result<String> {
    let lines = module.lines().map(str::trim);
    let version = lines
        .filter_map(|line| line.strip_prefix("k8s.io/kubernetes v"))
        .next();
    let version = version.context("go.mod requires no k8s.io/kubernetes")?;
    let (major, rest) = version.split_once('.').context("no minor version")?;
    let minor = rest.split('.').next().unwrap_or_default();
    let set = "-X k8s.io/component-base/version.git";
    Ok(format!(
        "-s -w {set}Version=v{version} {set}Major={major} {set}Minor={minor}"
    ))
}

/// Go's cache of this build is larger than everything else here and useless afterwards, so it is in the scratch folder
/// and removed with it; several programs may share one. What is not in go.sum, or needs another Go, fails and is not
/// fetched.
pub fn go_build(module: &str, scratch: &Path, name: &str, package: &str, flags: &str) -> Command {
    let cache = env::var_os(CACHE).map(PathBuf::from);
    let mut command = Command::new("go");
    command
        .args([
            "build",
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
            flags,
            "-o",
        ])
        .arg(scratch.join(name))
        .arg(package)
        .current_dir(module)
        .env(CACHE, cache.unwrap_or_else(|| scratch.join("cache")))
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_has_what_the_stamp_reads() {
        let root = crate::process::root().unwrap();
        let text = sources(&root.join(MODULE)).unwrap();
        for wanted in [
            "k8s.io/kubernetes v1.",
            "go.etcd.io/etcd/server/v3 v3.",
            "package main",
        ] {
            assert!(text.contains(wanted), "{wanted}");
        }
    }

    #[test]
    fn the_api_server_knows_its_version() {
        let flags = linker_flags("module a\n\nrequire (\n\tk8s.io/kubernetes v1.37.2\n)\n").unwrap();
        assert!(
            flags.contains("gitVersion=v1.37.2 ") && flags.ends_with("gitMinor=37"),
            "{flags}"
        );
    }

    #[test]
    fn a_folder_needs_both_programs() {
        let folder = env::temp_dir().join(format!("sealgate-xtask-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, _) in PROGRAMS {
            assert!(!complete(&folder), "without {name}");
            fs::write(folder.join(name), "").unwrap();
        }
        assert!(complete(&folder));
        fs::remove_dir_all(folder).unwrap();
    }
}
