//! What is logged, and how: `--log-level` (before: `SEALGATE_LOG`) and `--log-format`.

use std::env::{self, VarError};

use anyhow::{Context as _, Result, bail};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::one_line::OneLine;

const VARIABLE: &str = "SEALGATE_LOG";
const DEFAULT: &str = "info";
/// What the library that watches files says of a folder that is gone is of no use: the agent says what becomes of it.
/// A directive of the user's for the same target comes later, and replaces it.
const QUIET: &str = "notify=error";
/// The Kubernetes client quotes what it cannot parse, which may be a Secret: these words are never logged. What failed,
/// the agent says itself, once.
const NEVER_LOGGED: [&str; 2] = ["kube_client::client=off", "kube_runtime::watcher=off"];

/// Writes events to standard error from now on.
///
/// # Errors
/// The level is not understood.
pub(super) fn start(level: Option<&str>, format: LogFormat) -> Result<()> {
    let mut filter = match level {
        Some(text) => parse(text).with_context(|| format!("--log-level {text}"))?,
        None => from_environment()?,
    };
    for directive in NEVER_LOGGED {
        filter = filter.add_directive(directive.parse()?);
    }
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    match format {
        LogFormat::Text => log.with_writer(|| OneLine::text(std::io::stderr())).init(),
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(|| OneLine::json(std::io::stderr()))
            .init(),
    }
    Ok(())
}

/// The variable from before there was a flag.
fn from_environment() -> Result<EnvFilter> {
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
            "`{wrong}` is not a log level: use off, error, warn, info, debug or trace, or TARGET=LEVEL for a part"
        );
    }
    let text = directives.join(",");
    let text = if text.is_empty() { DEFAULT } else { &text };
    let is_off = |word: &&str| {
        word.parse::<LevelFilter>()
            .is_ok_and(|level| level == LevelFilter::OFF)
    };
    let quiet = if directives.iter().any(is_off) { "" } else { QUIET };
    let text = format!("{quiet},{text}");
    EnvFilter::builder()
        .parse(text.trim_start_matches(','))
        .context("not understood")
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

    #[test]
    fn the_library_that_watches_files_is_quiet_unless_it_is_asked() {
        for (text, expected) in [
            ("", "notify=error"),
            ("debug", "notify=error"),
            ("info,notify=debug", "notify=debug"),
            ("notify=warn,info", "notify=warn"),
        ] {
            let filter = parse(text).unwrap().to_string();
            let own: Vec<_> = filter
                .split(',')
                .filter(|own| own.starts_with("notify"))
                .collect();
            assert_eq!(own, [expected], "{text}: {filter}");
        }
        assert_eq!(parse("off").unwrap().to_string(), "off");
    }
}
