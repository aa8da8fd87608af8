//! `sealgate`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use sealgate_agent::{args::Cli, cli};

fn main() -> ExitCode {
    cli::main(&Cli::parse())
}
