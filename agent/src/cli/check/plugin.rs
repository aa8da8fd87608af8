//! The file that `--plugin-config` names.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use sealgate_model::{Finding, plugin};

use super::input::{STANDARD_INPUT, is_standard_input};

/// What there is to say of it.
///
/// # Errors
/// It cannot be read.
pub(super) fn findings(file: &Path) -> Result<Vec<Finding>> {
    let bytes = read(file).with_context(|| format!("--plugin-config {}", file.display()))?;
    let name = if is_standard_input(file) {
        STANDARD_INPUT.to_owned()
    } else {
        file.display().to_string()
    };
    Ok(plugin::check(&name, &bytes))
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if !is_standard_input(file) {
        return fs::read(file);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}
