//! The Unix domain socket: bound beside its place and renamed over it, so that there is never a gap, a dead file or
//! a moment with wider permissions.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Gid, flock};
use thiserror::Error;
use tokio::net::UnixListener;

/// `sun_path` less its closing NUL.
const LONGEST_PATH: usize = 107;

/// Why the socket cannot be had.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The kernel's limit.
    #[error(
        "--socket {0}: {1} bytes, and a Unix socket's path has at most {LONGEST_PATH} (with 4 to spare for the agent)"
    )]
    TooLong(PathBuf, usize),
    /// Something else is there.
    #[error("--socket {0}: there is something at this path, and it is not a socket")]
    NotASocket(PathBuf),
    /// Another agent.
    #[error("--socket {0}: another agent serves it")]
    Taken(PathBuf),
    /// No such group.
    #[error("--socket-group {0}: there is no such group")]
    Group(String),
    /// The operating system's refusal.
    #[error("--socket {0}: {1}: {2}")]
    Io(PathBuf, &'static str, io::Error),
}

/// Where the socket is, and who may connect.
#[derive(Clone, Debug)]
pub struct SocketConfig {
    /// Its path.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
    /// Its group, by name or number.
    pub group: Option<String>,
}

/// A bound socket. It is taken off when this is dropped, unless another agent has put its own there.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    inode: u64,
    group: Option<u32>,
    /// Held for as long as the socket is served: a second agent finds it locked.
    _lock: File,
}

/// Binds the socket.
///
/// # Errors
/// See [`SocketError`].
pub fn bind(config: &SocketConfig) -> Result<(UnixListener, Socket), SocketError> {
    let path = &config.path;
    let failed = |what| move |error| SocketError::Io(path.clone(), what, error);
    let temporary = beside(path, ".new");
    let length = temporary.as_os_str().len();
    if length > LONGEST_PATH {
        return Err(SocketError::TooLong(path.clone(), path.as_os_str().len()));
    }
    let group = config.group.as_deref().map(group_id).transpose()?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed("its folder cannot be made"))?;
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(SocketError::NotASocket(path.clone()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("it cannot be looked at")(error)),
    }
    let lock = lock(path)?;
    let _ = fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary).map_err(failed("it cannot be bound"))?;
    if let Some(group) = group {
        std::os::unix::fs::chown(&temporary, None, Some(group)).map_err(failed("its group cannot be set"))?;
    }
    // Nobody knows the temporary name yet; its own permissions are in place before the rename shows it.
    fs::set_permissions(&temporary, Permissions::from_mode(config.mode))
        .map_err(failed("its permissions cannot be set"))?;
    fs::rename(&temporary, path).map_err(failed("it cannot be put in its place"))?;
    let inode = inode(path).map_err(failed("it cannot be looked at"))?;
    Ok((
        listener,
        Socket {
            path: path.clone(),
            inode,
            group,
            _lock: lock,
        },
    ))
}

fn lock(path: &Path) -> Result<File, SocketError> {
    let name = beside(path, ".lck");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .map_err(|error| SocketError::Io(path.to_owned(), "its lock cannot be opened", error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| SocketError::Taken(path.to_owned()))?;
    Ok(file)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn inode(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::symlink_metadata(path)?.ino())
}

fn group_id(name: &str) -> Result<u32, SocketError> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let line = groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name));
    line.and_then(|fields| fields.get(2)?.parse().ok())
        .ok_or_else(|| SocketError::Group(name.to_owned()))
}

impl Socket {
    /// Whether a peer of these ids may be served: root, the agent's own user, or the socket's group.
    #[must_use]
    pub fn admits(&self, uid: u32, gid: u32) -> bool {
        let own = rustix::process::geteuid().as_raw();
        uid == 0 || uid == own || self.group == Some(gid) || gid == Gid::ROOT.as_raw()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: PathBuf) -> SocketConfig {
        SocketConfig {
            path,
            mode: 0o600,
            group: None,
        }
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = bind(&config(path.clone())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(bind(&config(path.clone())), Err(SocketError::Taken(_))));
        drop(first);
        assert!(!path.exists());
        assert!(bind(&config(path)).is_ok());
    }

    #[tokio::test]
    async fn what_is_not_a_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(
            bind(&config(path.clone())),
            Err(SocketError::NotASocket(_))
        ));
        assert_eq!(fs::read_to_string(path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_said_so() {
        let path = PathBuf::from(format!("/tmp/{}", "x".repeat(103)));
        assert!(matches!(bind(&config(path)), Err(SocketError::TooLong(_, 108))));
    }

    #[test]
    fn groups_are_names_or_numbers() {
        assert_eq!(group_id("12").ok(), Some(12));
        assert_eq!(group_id("root").ok(), Some(0));
        assert!(group_id("no such group").is_err());
    }
}
