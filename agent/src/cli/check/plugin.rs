//! The file that `--plugin-config` names.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use sealgate_model::{Finding, plugin};

/// What there is to say of it.
///
/// # Errors
/// It cannot be read.
pub(super) fn findings(file: &Path) -> Result<Vec<Finding>> {
    let bytes = read(file).with_context(|| format!("--plugin-config {}", file.display()))?;
    Ok(plugin::check(&file.display().to_string(), &bytes))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
