//! `cargo xtask fuzz`: the targets of `tests/fuzz` with libFuzzer, and the programs of the harness. libFuzzer needs
//! only the compiler's coverage pass, so the stable compiler is enough, and `cargo fuzz` is not needed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::{cargo, debug_program, run};

/// Targets, and the maximum length of their inputs.
const TARGETS: [(&str, u32); 4] = [
    ("certificate", 2048),
    ("table", 2048),
    ("request", 512),
    ("objects", 4096),
];
/// The targets that are programs of the harness, with a real agent and Envoy: a hostile namespace next to a platform,
/// and requests about which `explain` and Envoy must agree.
const PROGRAMS: [&str; 2] = ["tenants", "explain"];
const FOLDER: &str = "tests/fuzz";
/// How many requests are compared between `explain` and Envoy in a second, on two cores.
const RUNS_PER_SECOND: u64 = 500;
/// How many times libFuzzer runs a target.
const RUNS: u64 = 10_000_000;
/// The compiler flags of `cargo fuzz --sanitizer none`.
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
    /// certificate, table, request, objects, tenants or explain; all by default
    target: Option<String>,
    /// How often each runs: by default 10,000,000 times, explain 100,000 times; for tenants, only --seconds counts (60 by
    /// default)
    #[arg(long)]
    runs: Option<u64>,
    /// Run each for at most this many seconds
    #[arg(long)]
    seconds: Option<u32>,
    /// Repeats a run
    #[arg(long)]
    seed: Option<u32>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let (targets, programs) = chosen(args.target.as_deref())?;
    if !targets.is_empty() {
        with_coverage(&targets, args)?;
    }
    programs.iter().try_for_each(|name| program(name, args))
}

type Target = (&'static str, u32);

/// The requested targets of libFuzzer, and programs; all without a name.
fn chosen(only: Option<&str>) -> Result<(Vec<Target>, Vec<&'static str>)> {
    let is_chosen = |name: &str| only.is_none_or(|only| only == name);
    let targets: Vec<_> = TARGETS.into_iter().filter(|(name, _)| is_chosen(name)).collect();
    let programs: Vec<_> = PROGRAMS.into_iter().filter(|name| is_chosen(name)).collect();
    if targets.is_empty() && programs.is_empty() {
        bail!(
            "there are {} and {}",
            TARGETS.map(|(name, _)| name).join(", "),
            PROGRAMS.join(", ")
        );
    }
    Ok((targets, programs))
}

/// Runs the targets of libFuzzer.
fn with_coverage(targets: &[Target], args: &Args) -> Result<()> {
    // With an explicit target, the flags do not apply to build scripts and macros.
    let triple = host()?;
    let mut build = cargo(&["build", "--release", "--target", &triple]);
    run(build.current_dir(FOLDER).env("RUSTFLAGS", COVERAGE.join(" ")))?;
    let programs = Path::new(FOLDER).join("target").join(triple).join("release");
    for (name, longest) in targets {
        fuzz(&programs, name, *longest, args)?;
    }
    Ok(())
}

/// Runs a program with the debug build, which checks for overflows and is already built by the tests.
fn program(name: &str, args: &Args) -> Result<()> {
    let limit = match name {
        "tenants" => ("--seconds", args.seconds.map(u64::from)),
        _ => (
            "--runs",
            args.runs
                .or(args.seconds.map(|seconds| u64::from(seconds) * RUNS_PER_SECOND)),
        ),
    };
    let given = [limit, ("--seed", args.seed.map(u64::from))];
    let given = given
        .into_iter()
        .filter_map(|(flag, value)| Some([flag.to_owned(), value?.to_string()]));
    debug_program(&format!("fuzz-{name}"), &given.flatten().collect::<Vec<_>>())
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    ensure!(output.status.success(), "rustc -vV: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// New inputs go to the build's folder, and failures next to it; the corpus of the repository is only read.
fn fuzz(programs: &Path, name: &str, longest: u32, args: &Args) -> Result<()> {
    let found = programs.with_file_name("found").join(name);
    let failures = Path::new(FOLDER).join("artifacts").join(name);
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&failures)?;
    let mut command = Command::new(programs.join(name));
    command
        .arg(format!("-runs={}", args.runs.unwrap_or(RUNS)))
        .arg(format!("-max_len={longest}"))
        .arg(format!("-artifact_prefix={}/", failures.display()))
        .args(["-timeout=10", "-print_final_stats=1"])
        .args(args.seconds.map(|seconds| format!("-max_total_time={seconds}")))
        .args(args.seed.map(|seed| format!("-seed={seed}")))
        .arg(found)
        .arg(Path::new(FOLDER).join("corpus").join(name));
    run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_everything_is_run_and_else_one_target() {
        let names = |only: Option<&str>| {
            let (targets, programs) = chosen(only).unwrap();
            (
                targets.into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
                programs,
            )
        };
        assert_eq!(
            names(None),
            (TARGETS.map(|(name, _)| name).to_vec(), PROGRAMS.to_vec())
        );
        assert_eq!(names(Some("table")), (vec!["table"], vec![]));
        assert_eq!(names(Some("tenants")), (vec![], vec!["tenants"]));
        chosen(Some("tenant")).unwrap_err();
    }
}
