//! Carries the filter in the agent: `scripts/build` names the module in `SEALGATE_FILTER_WASM`. Without it the agent
//! builds all the same (`cargo build`, `cargo test`) and asks for `--filter`.
//!
//! And what `--version` says: the commit, from `SEALGATE_COMMIT`, and the Envoy of `envoy/version`.

use std::path::PathBuf;
use std::{env, fs, io};

/// The version that tests and the demo run.
const ENVOY: &str = "../envoy/version";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-env-changed=SEALGATE_FILTER_WASM");
    let module = match env::var_os("SEALGATE_FILTER_WASM") {
        Some(path) => {
            println!("cargo:rerun-if-changed={}", PathBuf::from(&path).display());
            fs::read(path)?
        }
        None => Vec::new(),
    };
    println!("cargo:rerun-if-env-changed=SEALGATE_COMMIT");
    println!("cargo:rerun-if-changed={ENVOY}");
    let commit = env::var("SEALGATE_COMMIT").unwrap_or_else(|_| "unknown".to_owned());
    println!("cargo:rustc-env=SEALGATE_COMMIT={commit}");
    println!(
        "cargo:rustc-env=SEALGATE_ENVOY={}",
        fs::read_to_string(ENVOY)?.trim()
    );
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(PathBuf::from(out).join("filter.wasm"), module)
}
