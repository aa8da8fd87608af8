//! Carries the filter in the agent: `scripts/build` names the module in `SEALGATE_FILTER_WASM`. Without it the agent
//! builds all the same (`cargo build`, `cargo test`) and asks for `--filter`.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-env-changed=SEALGATE_FILTER_WASM");
    let module = match env::var_os("SEALGATE_FILTER_WASM") {
        Some(path) => {
            println!("cargo:rerun-if-changed={}", PathBuf::from(&path).display());
            fs::read(path)?
        }
        None => Vec::new(),
    };
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(PathBuf::from(out).join("filter.wasm"), module)
}
