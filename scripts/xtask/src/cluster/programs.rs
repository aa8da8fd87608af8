//! The programs of a cluster. kube-apiserver and etcd are shared with the tests; the rest is built once from the Go
//! module in `tests/cluster`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::go_tool::HELM;
use crate::kube::{Scratch, go_build, linker_flags};
use crate::{debian, kube, run};

const MODULE: &str = "tests/cluster";
const TOOLS: &str = ".tools/cluster";
/// Programs and their packages. The small ones first: problems with Go show immediately.
const BUILT: [(&str, &str); 3] = [("pause", "./pause"), ("load", "./load"), (NODE, ".")];
/// One program that behaves according to the name by which it is called.
const NODE: &str = "node";
const NAMES: [&str; 5] = [
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
];
/// Programs that run the pods, and the Debian packages that have them.
const OF_THE_SYSTEM: [(&str, &str); 11] = [
    ("unshare", "util-linux"),
    ("ip", "iproute2"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("bash", "bash"),
];
const PLUGINS: &str = "containernetworking-plugins";
const PLUGIN_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

/// The paths of all programs.
pub(super) struct Programs {
    own: PathBuf,
    control_plane: PathBuf,
    helm: PathBuf,
}

impl Programs {
    /// Builds what does not exist yet.
    pub(super) fn get() -> Result<Self> {
        // The API server shares half of its code with the rest.
        let scratch = Scratch::new()?;
        Ok(Self {
            control_plane: kube::setup_in(&scratch)?,
            own: own(scratch.path())?,
            helm: HELM.get()?,
        })
    }

    /// A command for one of the programs.
    pub(super) fn command(&self, name: &str) -> Command {
        Command::new(match name {
            "etcd" | "kube-apiserver" => self.control_plane.join(name),
            "helm" => self.helm.clone(),
            _ => self.own.join(name),
        })
    }

    pub(super) fn pause(&self) -> PathBuf {
        self.own.join("pause")
    }
}

/// Installs missing packages of the system if possible, and says so.
pub(super) fn setup_system() -> Result<()> {
    let packages = missing();
    if !packages.is_empty() {
        debian::install(&packages).with_context(|| format!("missing: {}", packages.join(" ")))?;
    }
    let mut namespaces = Command::new("unshare");
    namespaces.args(["--net", "--mount", "--pid", "--fork", "true"]);
    ensure!(
        namespaces.output()?.status.success(),
        "namespaces cannot be made (only root may)"
    );
    Ok(())
}

fn missing() -> Vec<&'static str> {
    let missing = OF_THE_SYSTEM.iter().filter(|(name, _)| !debian::has(name));
    let mut packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if plugins().is_err() {
        packages.push(PLUGINS);
    }
    packages.dedup();
    packages
}

/// The folder of the programs that connect a pod to the network.
pub(super) fn plugins() -> Result<&'static Path> {
    let mut folders = PLUGIN_FOLDERS.iter().map(Path::new);
    let found = folders.find(|folder| folder.join("bridge").is_file());
    found.with_context(|| format!("no network plug-ins in {PLUGIN_FOLDERS:?}"))
}

fn own(scratch: &Path) -> Result<PathBuf> {
    let tools = Path::new(TOOLS);
    let stamp = tools.join("sealgate-stamp");
    let wanted = sources()?;
    let is_whole = BUILT.iter().all(|(name, _)| tools.join(name).is_file());
    if !is_whole || fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        build(tools, scratch)?;
        fs::write(stamp, wanted)?;
    }
    for name in NAMES {
        let link = tools.join(name);
        if !link.is_symlink() {
            symlink(NODE, link)?;
        }
    }
    Ok(fs::canonicalize(tools)?)
}

/// Everything that the programs depend on, as one text.
fn sources() -> Result<String> {
    let mut paths = vec![PathBuf::from("go.mod"), PathBuf::from("go.sum")];
    for (_, package) in BUILT {
        for entry in fs::read_dir(Path::new(MODULE).join(package))? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "go") {
                paths.push(path.strip_prefix(MODULE)?.to_owned());
            }
        }
    }
    paths.sort();
    let texts = paths.iter().map(|path| {
        fs::read_to_string(Path::new(MODULE).join(path)).with_context(|| path.display().to_string())
    });
    texts.collect()
}

/// Like kube-apiserver: in a folder of this process, and moved when complete.
#[expect(
    clippy::print_stderr,
    reason = "Go is silent for minutes: say what is going on"
)]
fn build(tools: &Path, scratch: &Path) -> Result<()> {
    eprintln!(
        "building the programs of a Kubernetes node into {TOOLS}; this happens once and takes some minutes"
    );
    fs::create_dir_all(tools)?;
    let flags = linker_flags(&fs::read_to_string(Path::new(MODULE).join("go.mod"))?)?;
    BUILT.iter().try_for_each(|(name, package)| {
        run(&mut go_build(MODULE, scratch, name, package, &flags))
            .with_context(|| format!("{name} cannot be built"))?;
        Ok(fs::rename(scratch.join(name), tools.join(name))?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_of_the_api_servers_version() {
        let root = crate::root().unwrap();
        let flags = |module: &str| {
            let text = fs::read_to_string(root.join(module).join("go.mod")).unwrap();
            linker_flags(&text).unwrap()
        };
        assert_eq!(flags(MODULE), flags("tests/kube"));
    }
}
