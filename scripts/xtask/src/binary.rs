//! The agent as a release has it: linked statically, so that it runs on every Linux of its architecture and in an image
//! that holds nothing else.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::image::elf::Arch;
use crate::{build_filter, cargo, remapped, run, version};

/// The filter's file, beside the agent's.
pub(crate) const MODULE: &str = "sealgate_filter.wasm";

/// Builds the agent for an architecture, with the filter in it; gives its path. For another one than this machine's a
/// cross compiler is needed: Debian has `gcc-aarch64-linux-gnu` and `gcc-x86-64-linux-gnu`.
pub(crate) fn build(arch: Arch) -> Result<PathBuf> {
    let target = arch.target();
    let folder = fs::canonicalize("target")?.join(target).join("release");
    let module = build_filter(&folder)?;
    let mut command = cargo(&[
        "build",
        "--release",
        "--package",
        "sealgate-agent",
        "--target",
        target,
    ]);
    let variable = target.to_uppercase().replace('-', "_");
    // With a target of its own these flags are not those of build scripts and macros, which cannot be static.
    let flags = format!("-C target-feature=+crt-static {}", remapped()?);
    command
        .env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), flags)
        .env_remove("RUSTFLAGS")
        .env(version::COMMIT, version::commit())
        .env("SEALGATE_FILTER_WASM", &module);
    if arch == Arch::Arm64 {
        // Kernels for it have pages of 4, 16 or 64 KiB, and jemalloc has to be told the largest.
        command.env("JEMALLOC_SYS_WITH_LG_PAGE", "16");
    }
    if arch != Arch::own() {
        let compiler = format!("{}-gcc", arch.triplet());
        command
            .env(format!("CARGO_TARGET_{variable}_LINKER"), &compiler)
            .env(format!("CC_{}", target.replace('-', "_")), compiler);
        run(std::process::Command::new("rustup").args(["target", "add", target]))?;
    }
    run(&mut command)?;
    Ok(folder.join("sealgate"))
}
