//! `sealgate`: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use sealgate_agent::{args::Cli, cli};
use tikv_jemallocator::Jemalloc;
use zeroizing_alloc::ZeroAlloc;

/// Gives back to the system what a large push or a first list took for a moment. What comes with C keeps it: with ten
/// thousand Secrets, half of the agent's memory.
///
/// What is freed is overwritten, also where something grows and moves: private keys pass through the buffers of YAML, JSON, HTTP
/// and protobuf, which nobody else wipes.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<Jemalloc> = ZeroAlloc(Jemalloc);

fn main() -> ExitCode {
    cli::main(&Cli::parse())
}
