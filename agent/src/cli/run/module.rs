//! The filter's module, put where Envoy can read it.

use std::fs;
use std::io::Write as _;
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
    let temporary = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&bytes)?;
        fs::rename(&temporary, &path)
    };
    write().with_context(|| format!("the filter cannot be put at {}", path.display()))?;
    Ok(path)
}
