//! The shell of a reader who types what a page says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::page::{Block, blocks, missing};

/// How long the output of a block may differ from what the page shows: a reader is slower than a script.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder and variables that are kept from one block to the next.
pub(crate) struct Shell {
    state: PathBuf,
    folder: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Shell {
    /// A shell that starts in a folder.
    pub(crate) fn new(folder: &Path, state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            folder: folder.to_owned(),
            variables: Vec::new(),
        }
    }

    /// Adds a variable that a reader's shell already has.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Runs a page; calls `before` before each block.
    pub(crate) fn play(&self, page: &str, mut before: impl FnMut(&Block) -> Result<()>) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| page.to_owned())?;
        let (mut run, mut shown, mut left) = (0, 0, 0);
        for block in blocks(&text)? {
            before(&block)?;
            if !block.is_run {
                left += 1;
                continue;
            }
            self.block(&block)
                .with_context(|| format!("{page}:{}, \"{}\"", block.line, block.section))?;
            run += 1;
            shown += usize::from(!block.shown.is_empty());
        }
        say(&format!(
            "{page}: {run} blocks ran, {shown} of them with the output that the page shows; {left} are not run here"
        ));
        Ok(())
    }

    /// Runs a block; one with shown output is repeated until the output matches.
    fn block(&self, block: &Block) -> Result<()> {
        let begun = Instant::now();
        loop {
            let done = self.run(&block.script);
            let missing = match &done {
                Ok(output) => missing(&block.shown, output).map(|line| format!("no {line:?} in {output}")),
                Err(error) => Some(format!("{error:#}")),
            };
            let Some(reason) = missing else {
                return Ok(());
            };
            if block.shown.is_empty() || begun.elapsed() > PATIENCE {
                bail!("{reason}");
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// The output of a script.
    pub(crate) fn run(&self, script: &str) -> Result<String> {
        let state = self.state.display();
        let text = format!(
            "set -a; if [ -e {state} ]; then . {state}; fi\nset -euo pipefail\n{script}\n{{ export -p | grep -v ' SHELLOPTS='; printf 'cd %q\\n' \"$PWD\"; }} > {state}\n"
        );
        let output = Command::new("bash")
            .args(["-c", &text])
            .current_dir(&self.folder)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{}\n{script}\n{said}{errors}",
            output.status
        );
        Ok(said)
    }
}

#[expect(clippy::print_stdout, reason = "what was seen is the answer")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
