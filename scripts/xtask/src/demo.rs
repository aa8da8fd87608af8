//! `cargo xtask demo`: the walkthrough with the real Envoy, from scratch. People who try Sealgate wait for this, so it
//! builds only what it needs, each crate once, in a profile that builds quickly.

use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, run};
use crate::progress::{self, Progress};
use crate::{kube, product, setup, version};

const PROFILE: &str = "demo";
const WALKTHROUGH: &str = "walkthrough";

/// Plays it with files, or with objects in a real API server.
pub fn main(kubernetes: bool) -> Result<()> {
    let mut progress = Progress::of(if kubernetes { 5 } else { 4 });
    progress.next(&format!("get Envoy {}", version::envoy()));
    let envoy = setup::setup()?;
    progress.next("build the filter");
    let folder = product::folder(PROFILE)?;
    let filter = product::build_agent_filter(&folder)?;
    progress.next("build the agent and the walkthrough");
    product::build_agent(&mut programs(kubernetes), &filter)?;
    let mut walkthrough = Command::new(folder.join(WALKTHROUGH));
    if kubernetes {
        progress.next("get kube-apiserver and etcd");
        walkthrough.arg("--kubernetes").env(kube::ASSETS, kube::setup()?);
    }
    progress.next("run the walkthrough, under load");
    let built = progress::minutes()?;
    walkthrough
        .env(product::FILTER, filter)
        .env("SEALGATE_BIN", folder.join("sealgate"))
        .env("ENVOY_BIN", envoy);
    run(&mut walkthrough)?;
    let all = progress::minutes()?;
    progress.end(&format!(
        "CPU time: {all:.1} minutes, {:.1} of them for the walkthrough",
        all - built
    ));
    Ok(())
}

/// Builds both at once, so that what they share is built once.
fn programs(kubernetes: bool) -> Command {
    let features = if kubernetes {
        "sealgate-agent/kubernetes,sealgate-tests/full"
    } else {
        "sealgate-agent/kubernetes"
    };
    let packages = [
        "build",
        "--package",
        "sealgate-agent",
        "--package",
        "sealgate-tests",
    ];
    let mut command = cargo(&packages);
    command
        .args([
            "--profile",
            PROFILE,
            "--no-default-features",
            "--features",
            features,
        ])
        .args(["--bin", "sealgate", "--bin", WALKTHROUGH]);
    command
}
