//! The demo: the walkthrough at full length, told step by step.

use std::io::Write as _;

use anyhow::{Result, bail};
use sealgate_tests::store::Kind;
use sealgate_tests::walkthrough::Walkthrough;

fn say(line: &str) {
    // A closed standard output must not end the run.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn kind() -> Result<Kind> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(Kind::Directory),
        ["--kubernetes"] => Ok(Kind::Kubernetes),
        _ => bail!("usage: walkthrough [--kubernetes]"),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Walkthrough::play(kind()?, 20, say).await?;
    say("all of it held");
    Ok(())
}
