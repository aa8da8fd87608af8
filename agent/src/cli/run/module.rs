//! The filter's module, put where Envoy can read it.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest, Sha256};

use crate::credential;

const CARRIED_FILTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/filter.wasm"));
/// The module's: there is nothing secret in it, and Envoy has a user of its own.
const MODE: u32 = 0o644;
const READABLE: u32 = 0o444;

/// Where Envoy finds the filter: beside the socket, under a name that follows its content, so that a new agent
/// with a new filter is a new file and an old proxy keeps the one that it runs.
pub(super) fn install(given: Option<&Path>, socket: &Path) -> Result<PathBuf> {
    let bytes = match given {
        Some(path) => fs::read(path).with_context(|| format!("--filter {}", path.display()))?,
        None => CARRIED_FILTER.to_vec(),
    };
    ensure!(
        !bytes.is_empty(),
        "this build contains no filter: pass --filter, or build with scripts/build"
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
    if !is_there || open_to_all(&path).is_err() {
        put(&bytes, &path).with_context(|| format!("cannot write the filter to {}", path.display()))?;
    }
    Ok(path)
}

/// Sees to it that Envoy can read a module, whoever put it there and as whichever user Envoy runs. Who may not use the
/// socket is kept out by its folder.
fn open_to_all(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & READABLE == READABLE {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(MODE))
}

/// Whole or not at all, and nothing is left behind: a machine that lost its power, or whose disk is full, has no half module
/// that a proxy could load.
fn put(bytes: &[u8], path: &Path) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // Of an agent that was killed meanwhile.
    let _ = fs::remove_file(&temporary);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(MODE).open(&temporary)?;
        // The umask took what it took.
        file.set_permissions(Permissions::from_mode(MODE))?;
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
