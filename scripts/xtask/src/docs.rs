//! `docs/`: builds its book, and checks that no link in it is broken.

mod links;

use std::process::Command;

use anyhow::{Result, ensure};

use crate::run;
use crate::tools::Tool;

pub(crate) use links::dead;

/// Where the pages are.
const FOLDER: &str = "docs";
const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
};

/// Builds the site (target/book).
#[expect(clippy::print_stdout, reason = "where the site is")]
pub(crate) fn build() -> Result<()> {
    let dead = dead()?;
    ensure!(dead.is_empty(), "{}", dead.join("\n"));
    run(Command::new(MDBOOK.get()?).args(["build", FOLDER]))?;
    println!("target/book/index.html");
    Ok(())
}
