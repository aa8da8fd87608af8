//! A number for the files of a folder that changes with every byte and name.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::files;

/// FNV-1a: it must notice mistakes, not resist attacks.
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

pub(super) fn of(folder: &Path) -> Result<String> {
    let mut hash = OFFSET;
    add(folder, folder, &mut hash)?;
    Ok(format!("{hash:016x}"))
}

fn add(root: &Path, folder: &Path, hash: &mut u64) -> Result<()> {
    for path in files(folder)? {
        if path.is_dir() {
            add(root, &path, hash)?;
            continue;
        }
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        for byte in name.into_bytes().into_iter().chain([0]).chain(fs::read(&path)?) {
            *hash = (*hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    Ok(())
}
