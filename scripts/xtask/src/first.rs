//! `cargo xtask`. This small program does what the first command needs, and leaves everything else to `xtask-full`,
//! whose dependencies take as long to compile as the agent's.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use xtask::process::cargo;
use xtask::{demo, process, setup};

fn main() -> Result<()> {
    env::set_current_dir(process::root()?)?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["setup"] => setup::setup().map(drop),
        ["demo"] => demo::main(false),
        ["demo", "--kubernetes"] => demo::main(true),
        _ => full(&arguments),
    }
}

/// Continues as the program with all tasks, built as the tests would build it.
fn full(arguments: &[String]) -> Result<()> {
    process::run(&mut cargo(&[
        "build",
        "--quiet",
        "--workspace",
        "--bin",
        "xtask-full",
    ]))?;
    let mut command = Command::new("target/debug/xtask-full");
    Err(command.args(arguments).exec()).with_context(|| format!("{command:?}"))
}
