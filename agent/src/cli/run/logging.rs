//! What is logged: `SEALGATE_LOG`.

use std::env::{self, VarError};

use anyhow::{Context as _, Result, bail};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

const VARIABLE: &str = "SEALGATE_LOG";
const DEFAULT: &str = "info";

/// What the environment asks for.
///
/// # Errors
/// It is not understood.
pub(super) fn filter() -> Result<EnvFilter> {
    let text = match env::var(VARIABLE) {
        Ok(text) => text,
        Err(VarError::NotPresent) => String::new(),
        Err(VarError::NotUnicode(_)) => bail!("{VARIABLE}: not text"),
    };
    parse(&text).with_context(|| format!("{VARIABLE}={text}"))
}

/// A level for everything, and `TARGET=LEVEL` for parts, separated by commas.
fn parse(text: &str) -> Result<EnvFilter> {
    let directives = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let directives: Vec<&str> = directives.collect();
    // The library takes a word that is no level for a target, and would log next to nothing.
    let is_level = |word: &str| word.contains('=') || word.parse::<LevelFilter>().is_ok();
    if let Some(wrong) = directives.iter().find(|word| !is_level(word)) {
        bail!(
            "`{wrong}` is no level: off, error, warn, info, debug and trace are, and TARGET=LEVEL for parts"
        );
    }
    let text = directives.join(",");
    let text = if text.is_empty() { DEFAULT } else { &text };
    EnvFilter::builder().parse(text).context("not understood")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_parts_are_taken_and_typing_errors_are_not() {
        for good in [
            "",
            "info",
            "WARN",
            "info,sealgate_agent=debug",
            "off",
            "info, h2=error",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "inof",
            "verbose",
            "info,sealgate_agent",
            "sealgate_agent=loud",
            "=",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
