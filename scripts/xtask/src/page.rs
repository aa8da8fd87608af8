//! The page: files that a browser loads, from the agent or from any file server. Its module is put next to the filter,
//! where the agent's build finds it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;
use xtask::product::{MODULE, remapped};
use xtask::setup::{WASM, targets};

use crate::{cargo, run};

/// The files that are written by hand.
const FILES: &str = "filter/web/page";
/// The static page.
const SITE: &str = "target/page";
const NAME: &str = "sealgate_web";
/// The profiles in whose folders the agent's build looks for it next to the filter.
const PROFILES: [&str; 2] = ["debug", "release"];
/// A larger compressed size would take too long to load.
const GOAL: usize = 1_500_000;

/// Builds the static page, and puts its module where agents are built; returns the page's folder.
#[expect(clippy::print_stdout, reason = "its size and its place are the answer")]
pub(crate) fn build() -> Result<PathBuf> {
    let made = Made::new()?;
    println!(
        "the page's module: {} KB, compressed {} KB (goal: at most {} KB)",
        made.module.len() / 1000,
        made.packed.len() / 1000,
        GOAL / 1000
    );
    let site = PathBuf::from(SITE);
    fs::create_dir_all(&site)?;
    for file in fs::read_dir(FILES).context(FILES)? {
        let path = file?.path();
        write(
            &site.join(path.file_name().unwrap_or_default()),
            &fs::read(&path)?,
        )?;
    }
    write(&site.join(format!("{NAME}.js")), made.script.as_bytes())?;
    write(&site.join(format!("{NAME}.wasm")), &made.module)?;
    for profile in PROFILES {
        made.put(&Path::new("target").join(profile))?;
    }
    println!("the static page: {}", site.display());
    Ok(site)
}

/// Builds the module, and puts it where an agent with another profile is built.
pub(crate) fn put(folder: &Path) -> Result<()> {
    Made::new()?.put(folder)
}

struct Made {
    /// Loads the module.
    script: String,
    module: Vec<u8>,
    packed: Vec<u8>,
}

impl Made {
    fn new() -> Result<Self> {
        let (script, module) = module()?;
        let packed = pack(&module)?;
        Ok(Self {
            script,
            module,
            packed,
        })
    }

    fn put(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let packed = folder.join(format!("{NAME}.wasm.gz"));
        let is_new = !packed.exists();
        write(&folder.join(format!("{NAME}.js")), self.script.as_bytes())?;
        write(&packed, &self.packed)?;
        let filter = folder.join(MODULE);
        // An agent that was built without it would not notice that it now exists.
        if is_new && filter.exists() {
            fs::write(&filter, fs::read(&filter)?)?;
        }
        Ok(())
    }
}

/// The script that loads the module, and the module.
fn module() -> Result<(String, Vec<u8>)> {
    targets(&WASM[1..])?;
    let arguments = [
        "build",
        "--package",
        "sealgate-web",
        "--profile",
        "filter",
        "--target",
        WASM[1],
    ];
    run(cargo(&arguments).env("RUSTFLAGS", remapped()?))?;
    let built = Path::new("target")
        .join(WASM[1])
        .join("filter")
        .join(format!("{NAME}.wasm"));
    let mut output = Bindgen::new()
        .input_path(built)
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    Ok((output.js().to_owned(), output.wasm_mut().emit_wasm()))
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    Ok(packed.finish()?)
}

/// Writes only changes, so that cargo does not rebuild the agent.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).ok().as_deref() != Some(bytes) {
        fs::write(path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
