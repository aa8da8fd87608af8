//! The browser of the page's tests.

use std::env;

use anyhow::Result;

use crate::debian;

/// Variables that name another driver: ours, and that of GitHub's machines.
const NAMED: [&str; 2] = ["SEALGATE_CHROMEDRIVER", "CHROMEWEBDRIVER"];

/// Gets it from Debian, if it is missing and that is possible. Elsewhere, the tests say how to get it.
pub(crate) fn get() -> Result<()> {
    let is_there = NAMED.iter().any(|name| env::var_os(name).is_some()) || debian::has("chromedriver");
    if is_there || !debian::is_here()? {
        return Ok(());
    }
    debian::install(&["chromium", "chromium-driver"])
}
