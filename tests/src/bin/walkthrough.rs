//! The demo: the walkthrough at full length, told step by step.

use std::io::Write as _;

use anyhow::Result;
use sealgate_tests::walkthrough::Walkthrough;

fn say(line: &str) {
    // A closed standard output must not end the run.
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[tokio::main]
async fn main() -> Result<()> {
    Walkthrough::play(20, say).await?;
    say("all of it held");
    Ok(())
}
