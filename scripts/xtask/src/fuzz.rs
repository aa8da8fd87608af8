//! `cargo xtask fuzz`: the targets of `tests/fuzz` with libFuzzer. The compiler's own coverage pass is all that it
//! takes, so the stable compiler does, and `cargo fuzz` is not needed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::{cargo, run};

/// A target, and how long its inputs get.
const TARGETS: [(&str, u32); 4] = [
    ("certificate", 2048),
    ("table", 2048),
    ("request", 512),
    ("objects", 4096),
];
const FOLDER: &str = "tests/fuzz";
/// What `cargo fuzz --sanitizer none` builds with.
const COVERAGE: [&str; 7] = [
    "--cfg=fuzzing",
    "-Ccodegen-units=1",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// certificate, table, request or objects; all by default
    target: Option<String>,
    /// How often each is run
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,
    /// No longer than this many seconds each
    #[arg(long)]
    seconds: Option<u32>,
    /// Repeats a run
    #[arg(long)]
    seed: Option<u32>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let chosen = |name: &str| args.target.as_deref().is_none_or(|only| only == name);
    let targets: Vec<_> = TARGETS.iter().filter(|(name, _)| chosen(name)).collect();
    if targets.is_empty() {
        bail!("there are {}", TARGETS.map(|(name, _)| name).join(", "));
    }
    // With a target of its own, build scripts and macros are left as they are.
    let triple = host()?;
    let mut build = cargo(&["build", "--release", "--target", &triple]);
    run(build.current_dir(FOLDER).env("RUSTFLAGS", COVERAGE.join(" ")))?;
    let programs = Path::new(FOLDER).join("target").join(triple).join("release");
    for (name, longest) in targets {
        fuzz(&programs, name, *longest, args)?;
    }
    Ok(())
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    ensure!(output.status.success(), "rustc -vV: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// What is found on the way goes to the build's folder, what fails beside it; the corpus of the repository is only
/// read.
fn fuzz(programs: &Path, name: &str, longest: u32, args: &Args) -> Result<()> {
    let found = programs.with_file_name("found").join(name);
    let failures = Path::new(FOLDER).join("artifacts").join(name);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&failures)?;
    let mut command = Command::new(programs.join(name));
    command
        .arg(format!("-runs={}", args.runs))
        .arg(format!("-max_len={longest}"))
        .arg(format!("-artifact_prefix={}/", failures.display()))
        .args(["-timeout=10", "-print_final_stats=1"])
        .args(args.seconds.map(|seconds| format!("-max_total_time={seconds}")))
        .args(args.seed.map(|seed| format!("-seed={seed}")))
        .arg(found)
        .arg(Path::new(FOLDER).join("corpus").join(name));
    run(&mut command)
}
