//! Namespaces of Linux, in which a test cannot touch the machine's network, mounts or processes.

use std::process::Command;

/// `unshare`, to be followed by the program that runs in namespaces of its own. Whoever ends it ends all that runs in there.
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
