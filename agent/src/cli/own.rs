//! `sealgate completions` and `sealgate man`: what the shell and `man` know of the command line, from its definition.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_mangen::Man;

use super::{Conclusion, print};
use crate::args::{Cli, CompletionsArgs, ManArgs};

const NAME: &str = "sealgate";

pub(super) fn completions(args: &CompletionsArgs) -> Result<Conclusion> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(Conclusion::Good)
}

pub(super) fn man(args: &ManArgs) -> Result<Conclusion> {
    match &args.dir {
        Some(dir) => write_all(dir).with_context(|| format!("--dir {}", dir.display()))?,
        None => {
            let mut page = Vec::new();
            Man::new(Cli::command()).render(&mut page)?;
            print(&String::from_utf8(page)?)?;
        }
    }
    Ok(Conclusion::Good)
}

/// A page for each command: `sealgate-istio-sds.1`.
fn write_all(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    Ok(clap_mangen::generate_to(Cli::command(), dir)?)
}
