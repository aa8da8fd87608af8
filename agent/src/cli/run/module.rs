//! The filter's module, put where Envoy can read it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest, Sha256};

use crate::credential;

const CARRIED_FILTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/filter.wasm"));

/// Where Envoy finds the filter: beside the socket, under a name that follows its content, so that a new agent
/// with a new filter is a new file and an old proxy keeps the one that it runs.
pub(super) fn install(given: Option<&Path>, socket: &Path) -> Result<PathBuf> {
    let bytes = match given {
        Some(path) => fs::read(path).with_context(|| format!("--filter {}", path.display()))?,
        None => CARRIED_FILTER.to_vec(),
    };
    ensure!(
        !bytes.is_empty(),
        "this build carries no filter: give one by --filter, or build with scripts/build"
    );
    ensure!(
        bytes.starts_with(b"\0asm"),
        "--filter {}: not a WebAssembly module",
        given.unwrap_or(Path::new("(carried)")).display()
    );
    let hash = credential::hex(Sha256::digest(&bytes).get(..8).unwrap_or_default());
    let folder = socket.parent().unwrap_or(Path::new("/"));
    let path = folder.join(format!("sealgate-filter-{hash}.wasm"));
    let is_there = fs::read(&path).is_ok_and(|there| there == bytes);
    if !is_there {
        put(&bytes, &path).with_context(|| format!("the filter cannot be put at {}", path.display()))?;
    }
    Ok(path)
}

/// Whole or not at all, and nothing is left behind: a machine that lost its power, or whose disk is full, has no half module
/// that a proxy could load.
fn put(bytes: &[u8], path: &Path) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // Of an agent that was killed meanwhile.
    let _ = fs::remove_file(&temporary);
    let write = || {
        let mut file = File::create_new(&temporary)?;
        file.write_all(bytes)?;
        // A full disk may be noticed no sooner than that.
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
