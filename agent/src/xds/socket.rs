//! The Unix domain socket: bound beside its place and renamed over it, so that there is never a gap, a dead file or
//! a moment with wider permissions.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use thiserror::Error;
use tokio::net::UnixListener;

/// `sun_path` less its closing NUL.
const LONGEST_PATH: usize = 107;
/// Connections that wait to be accepted: a proxy without aggregation opens one, a gateway's many proxies as many.
const BACKLOG: i32 = 1024;

/// Why the socket cannot be had.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The kernel's limit.
    #[error("--socket {0}: {1} bytes, and a Unix socket's path has at most {LONGEST_PATH}")]
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
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        return Err(SocketError::TooLong(path.clone(), length));
    }
    let group = config.group.as_deref().map(group_id).transpose()?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed("its folder cannot be made"))?;
    }
    only_a_socket(path)?;
    let lock = lock(path)?;
    let temporary = temporary(path);
    only_a_socket(&temporary)?;
    let _ = fs::remove_file(&temporary);
    let listener = listen(&temporary).map_err(failed("it cannot be bound"))?;
    if let Some(group) = group {
        std::os::unix::fs::chown(&temporary, None, Some(group)).map_err(failed("its group cannot be set"))?;
    }
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

/// Nothing but an old socket may be replaced.
fn only_a_socket(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(()),
        Ok(_) => Err(SocketError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SocketError::Io(path.to_owned(), "it cannot be looked at", error)),
    }
}

/// Where the socket is made. A path that has no room for a suffix gets another last byte.
fn temporary(path: &Path) -> PathBuf {
    let longer = beside(path, ".new");
    if longer.as_os_str().len() <= LONGEST_PATH {
        return longer;
    }
    let mut name = path.as_os_str().as_bytes().to_vec();
    if let Some(last) = name.last_mut() {
        *last = if *last == b'~' { b'-' } else { b'~' };
    }
    OsString::from_vec(name).into()
}

/// Listens at a new path. The mode is the owner's alone from the first moment on: what is set on the socket before
/// the bind is what the bind makes.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
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
        uid == 0 || uid == own || self.group == Some(gid)
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

    #[tokio::test]
    async fn the_longest_path_that_a_socket_can_have_is_good() {
        let folder = tempfile::tempdir().unwrap();
        for last in ["x", "~"] {
            let room = LONGEST_PATH - folder.path().as_os_str().len() - 2;
            let path = folder.path().join("x".repeat(room) + last);
            assert_eq!(path.as_os_str().len(), LONGEST_PATH);
            let bound = bind(&config(path.clone())).unwrap();
            std::os::unix::net::UnixStream::connect(&path).unwrap();
            drop(bound);
        }
    }

    #[tokio::test]
    async fn a_socket_is_the_owners_alone_before_it_is_anybody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = listen(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & !0o600, 0, "{mode:o}");
        drop(listener);
    }

    #[tokio::test]
    async fn root_the_own_user_and_the_group_are_admitted() {
        let folder = tempfile::tempdir().unwrap();
        let (_listener, mut socket) = bind(&SocketConfig {
            group: Some(rustix::process::getegid().as_raw().to_string()),
            ..config(folder.path().join("s"))
        })
        .unwrap();
        let (user, group) = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        let (other, foreign) = (user.wrapping_add(1), group.wrapping_add(1));
        for (uid, gid, admitted) in [
            (0, foreign, true),
            (user, foreign, true),
            (other, group, true),
            (other, foreign, false),
        ] {
            assert_eq!(socket.admits(uid, gid), admitted, "{uid}:{gid}");
        }
        socket.group = None;
        assert!(!socket.admits(other, 0), "the root group is nobody's");
    }

    #[test]
    fn groups_are_names_or_numbers() {
        assert_eq!(group_id("12").ok(), Some(12));
        assert_eq!(group_id("root").ok(), Some(0));
        assert!(group_id("no such group").is_err());
    }
}
