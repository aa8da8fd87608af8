//! The agent as in a release: linked statically, so that it runs on every Linux of its architecture, and in an image
//! with nothing else. With glibc, as in the tests, so that what is released is what was tested.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::image::elf::Arch;
use crate::{build_filter, cargo, page, remapped, run, version};

pub(crate) use xtask::product::{AGENT_MODULE, MODULE};
use xtask::setup::targets;

/// Builds the agent for an architecture, with the filter in it; returns its path. For an architecture other than this
/// machine's, it needs a cross compiler: Debian has `gcc-aarch64-linux-gnu` and `gcc-x86-64-linux-gnu`.
pub(crate) fn build(arch: Arch) -> Result<PathBuf> {
    let target = arch.target();
    let folder = fs::canonicalize("target")?.join(target).join("release");
    let module = build_filter(&folder)?;
    page::put(&folder)?;
    let mut command = cargo(&[
        "build",
        "--release",
        "--package",
        "sealgate-agent",
        "--target",
        target,
    ]);
    let variable = target.to_uppercase().replace('-', "_");
    // With an explicit target, these flags do not apply to build scripts and macros, which cannot be static.
    let flags = format!("-C target-feature=+crt-static {}", remapped()?);
    command
        .env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), flags)
        .env_remove("RUSTFLAGS")
        .env(version::COMMIT, version::commit())
        .env("SEALGATE_FILTER_WASM", &module);
    if arch == Arch::Arm64 {
        // Its kernels have pages of 4, 16 or 64 KiB, and jemalloc must know the largest.
        command.env("JEMALLOC_SYS_WITH_LG_PAGE", "16");
    }
    if arch != Arch::own() {
        cross(&mut command, arch)?;
    }
    run(&mut command)?;
    Ok(folder.join("sealgate"))
}

/// For a machine that is not this one: C sources (AWS-LC, jemalloc) and the linker need its compiler.
fn cross(command: &mut Command, arch: Arch) -> Result<()> {
    let (target, triplet) = (arch.target(), arch.triplet());
    let compiler = format!("{triplet}-gcc");
    ensure!(
        Command::new(&compiler).arg("--version").output().is_ok(),
        "{compiler} is missing: on Debian, install gcc-{} and libc6-dev-{}-cross",
        triplet.replace('_', "-"),
        arch.name()
    );
    let small = target.replace('-', "_");
    command
        .env(format!("CARGO_TARGET_{}_LINKER", small.to_uppercase()), &compiler)
        .env(format!("CC_{small}"), compiler)
        .env(format!("AR_{small}"), format!("{triplet}-ar"));
    targets(&[target])
}
