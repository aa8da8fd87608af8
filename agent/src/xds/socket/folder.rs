//! The socket's folder, if the agent makes it: open to those who may connect, regardless of the umask. The filter is
//! also there, so only the agent may write to it.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Makes the folder and its parents, if they do not exist. Existing ones are not changed.
pub(super) fn make(folder: &Path, socket_mode: u32, group: Option<u32>) -> io::Result<()> {
    let missing = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    for folder in missing.collect::<Vec<_>>().into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            // Made by another agent that starts at the same time.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        if group.is_some() {
            std::os::unix::fs::chown(folder, None, group)?;
        }
        fs::set_permissions(folder, Permissions::from_mode(mode(socket_mode)))?;
    }
    Ok(())
}

/// Whoever may connect (write to the socket) may read its folder.
fn mode(socket: u32) -> u32 {
    let group = if socket & 0o020 == 0 { 0 } else { 0o050 };
    let others = if socket & 0o002 == 0 { 0 } else { 0o005 };
    0o700 | group | others
}
