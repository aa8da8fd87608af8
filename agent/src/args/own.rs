//! Commands about the command line itself.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

/// Flags of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "For bash, for example:\n  source <(sealgate completions bash)")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Flags of `man`.
#[derive(Debug, Args)]
#[command(after_help = "To read the page:\n  sealgate man | man -l -")]
pub struct ManArgs {
    /// Write the pages of all commands into this directory, instead of printing that of `sealgate`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}
