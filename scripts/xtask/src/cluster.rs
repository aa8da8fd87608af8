//! `cargo xtask demo --cluster`: the walkthrough on a one-node Kubernetes cluster, installed by the chart, under load.
//!
//! The cluster has its own namespaces (network, mounts, processes) and its own folder: nothing of it is visible
//! outside, and it ends with the process that started it, including pods. The programs are built from their Go modules
//! (`programs.rs`), and the images are packed from files (`images.rs`), so that no registry is needed.

mod addresses;
mod certificates;
mod cgroups;
mod commands;
mod images;
mod kubectl;
mod load;
mod node;
mod programs;
mod settings;
mod steps;
mod walk;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::image::elf::Arch;
use crate::{binary, namespaces, run};
use programs::Programs;
use steps::Steps;

#[derive(clap::Args)]
pub(crate) struct ClusterArgs {
    /// In a one-node Kubernetes cluster with real pods, installed by the chart (Linux, as root)
    #[arg(long, conflicts_with = "kubernetes")]
    pub(crate) cluster: bool,
    /// With --cluster: use this build of the agent, with the filter next to it, instead of building one
    #[arg(long, requires = "cluster")]
    binary: Option<PathBuf>,
    /// The folder of the cluster: this process is in namespaces of its own
    #[arg(long, hide = true, requires = "binary")]
    inside: Option<PathBuf>,
}

pub(crate) fn main(args: &ClusterArgs) -> Result<()> {
    if let (Some(folder), Some(binary)) = (&args.inside, &args.binary) {
        return walk::play(folder, binary);
    }
    programs::setup_system()?;
    let mut steps = Steps::first();
    steps.begin("prepare Kubernetes, Helm, Envoy, nginx, httpbin and the agent");
    Programs::get()?;
    images::fetch()?;
    let agent = match &args.binary {
        Some(path) => path.clone(),
        None => binary::build(Arch::own())?,
    };
    steps.done("everything is ready");
    enter(&agent)
}

/// Runs this program again in its own namespaces. When `unshare` is killed, everything in there ends.
fn enter(agent: &Path) -> Result<()> {
    let folder = env::temp_dir().join(format!("sealgate-cluster-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut command = namespaces::command();
    command
        // The first process of the namespace must reap zombies: the shell does while it waits.
        .args(["bash", "-c", r#""$0" "$@"; exit $?"#])
        .arg(env::current_exe()?)
        .args(["demo", "--cluster", "--inside"])
        .arg(&folder)
        .arg("--binary")
        .arg(agent);
    let done = run(&mut command).context("the walkthrough on the cluster");
    if done.is_err() {
        node::show_ends(&folder);
    }
    cgroups::remove(&folder);
    // Its mounts ended with the namespace.
    let removed = std::fs::remove_dir_all(&folder);
    done?;
    removed.with_context(|| folder.display().to_string())?;
    ensure!(
        !cgroups::are_left(&folder),
        "control groups of the cluster are left"
    );
    steps::all_held();
    Ok(())
}
