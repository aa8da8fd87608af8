//! Ends processes that a test program leaves behind if no destructor runs: a shared control plane is in a static, and a
//! test run may be killed.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::Pid;

/// Reads the current process groups, one line for each change. Its input ends when the test program does, for any
/// reason: then it kills the groups in the last line and removes the folder.
const SCRIPT: &str = r#"
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group"; done
rm -rf -- "$0"
"#;

/// The shell that waits for the end.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    /// In its own process group: an interrupt from the terminal ends the tests but not the guard.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let input = shell.stdin.take();
        Ok(Self { shell, input })
    }

    /// Sets the process groups that now run.
    pub(crate) fn watch_over(&mut self, groups: impl Iterator<Item = Pid>) -> Result<()> {
        let mut line: String = groups
            .map(|group| format!("{} ", group.as_raw_nonzero()))
            .collect();
        line.push('\n');
        let input = self.input.as_mut().context("the guard has no input")?;
        Ok(input.write_all(line.as_bytes())?)
    }
}

impl Drop for Guard {
    /// The owner's destructors have done the work.
    fn drop(&mut self) {
        let _ = self.watch_over(std::iter::empty());
        self.input = None;
        let _ = self.shell.wait();
    }
}
