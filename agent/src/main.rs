//! `sealgate`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use sealgate_agent::{args::Cli, cli};

/// Gives back to the system what a large push or a first list took for a moment. What comes with C keeps it: with ten
/// thousand Secrets, half of the agent's memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::main(&Cli::parse())
}
