//! Carries the filter in the agent: `scripts/build` names the module in `SEALGATE_FILTER_WASM`. If there is one beside it that
//! was made for the agent, it takes that. Without the variable the agent builds all the same (`cargo build`, `cargo test`) and
//! asks for `--filter`.
//!
//! The page's files are always there (`filter/web/page`); its module, which `cargo xtask page` makes, if it is beside the filter.
//!
//! And what `--version` says: the commit, from `SEALGATE_COMMIT`, and the Envoy of `envoy/version`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Takes no configuration but an agent's, and is smaller for it.
const FOR_AGENTS: &str = "sealgate_agent_filter.wasm";
/// The page's files that are written by hand.
const PAGE: &str = "../filter/web/page";
/// Those that are made.
const PAGE_MODULE: [&str; 2] = ["sealgate_web.js", "sealgate_web.wasm.gz"];
/// The version that tests and the demo run.
const ENVOY: &str = "../envoy/version";

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-env-changed=SEALGATE_FILTER_WASM");
    let module = match env::var_os("SEALGATE_FILTER_WASM") {
        Some(path) => {
            let path = PathBuf::from(path);
            let own = Some(path.with_file_name(FOR_AGENTS)).filter(|own| own.is_file());
            // One that is not there would have cargo run this each time.
            for path in [Some(&path), own.as_ref()].into_iter().flatten() {
                println!("cargo:rerun-if-changed={}", path.display());
            }
            fs::read(own.unwrap_or(path))?
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
    let out = PathBuf::from(out);
    fs::write(out.join("filter.wasm"), module)?;
    fs::write(out.join("page.rs"), page()?)
}

/// The page as a table: name, content, and whether that is compressed.
fn page() -> io::Result<String> {
    println!("cargo:rerun-if-changed={PAGE}");
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for file in fs::read_dir(PAGE)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        files.push((name.into_owned(), fs::canonicalize(&path)?));
    }
    if let Some(filter) = env::var_os("SEALGATE_FILTER_WASM") {
        for name in PAGE_MODULE {
            let path = Path::new(&filter).with_file_name(name);
            if path.is_file() {
                println!("cargo:rerun-if-changed={}", path.display());
                files.push((name.to_owned(), fs::canonicalize(path)?));
            }
        }
    }
    files.sort();
    let mut table = "const PAGE: &[PageFile] = &[\n".to_owned();
    for (name, path) in files {
        println!("cargo:rerun-if-changed={}", path.display());
        let plain = name.strip_suffix(".gz");
        let (name, is_packed) = (plain.unwrap_or(&name), plain.is_some());
        writeln!(table, "    ({name:?}, include_bytes!({path:?}), {is_packed}),")
            .map_err(io::Error::other)?;
    }
    table.push_str("];\n");
    Ok(table)
}
