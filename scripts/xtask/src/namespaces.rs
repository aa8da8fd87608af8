//! Namespaces of Linux, in which a test cannot touch the machine's network, mounts or processes.

use std::process::Command;

/// `unshare`, to be followed by the program that runs in its own namespaces. When it is killed, everything in there
/// ends.
pub(crate) fn command() -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--mount-proc",
    ]);
    command
}
