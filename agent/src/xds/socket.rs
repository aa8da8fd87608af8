//! The Unix domain socket: bound under a temporary name and then renamed, so that there is never a gap, a dead file or
//! a moment with wider permissions.

mod folder;
mod served;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use thiserror::Error;
use tokio::net::UnixListener;

pub use self::served::Socket;

/// `sun_path` without its terminating NUL.
const LONGEST_PATH: usize = 107;
/// The maximum number of connections that wait to be accepted: without aggregation, each proxy opens one.
const BACKLOG: i32 = 1024;

/// Why the socket cannot be bound.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The kernel's limit.
    #[error("--socket {0}: {1} bytes, and a Unix socket's path has at most {LONGEST_PATH}")]
    TooLong(PathBuf, usize),
    /// Something else is there.
    #[error("--socket {0}: this path exists and is not a socket")]
    NotASocket(PathBuf),
    /// Another agent has it.
    #[error("--socket {0}: another agent is using it")]
    Taken(PathBuf),
    /// No such group.
    #[error("--socket-group {0}: there is no such group")]
    Group(String),
    /// An error of the operating system.
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

/// The socket's place, reserved for this agent: nothing is bound there yet, and no other agent can bind it.
#[derive(Debug)]
pub struct SocketPlace {
    path: PathBuf,
    mode: u32,
    group: Option<u32>,
    /// Held as long as the place is: a second agent finds it locked.
    lock: File,
}

/// Reserves a place, and binds the socket immediately.
///
/// # Errors
/// See [`SocketError`].
pub fn bind(config: &SocketConfig) -> Result<Socket, SocketError> {
    claim(config)?.bind()
}

/// Reserves the place of a socket. Connections fail until it is bound.
///
/// # Errors
/// See [`SocketError`].
pub fn claim(config: &SocketConfig) -> Result<SocketPlace, SocketError> {
    let path = &config.path;
    let length = path.as_os_str().len();
    if length > LONGEST_PATH {
        return Err(SocketError::TooLong(path.clone(), length));
    }
    let group = config.group.as_deref().map(group_id).transpose()?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        folder::make(folder, config.mode, group)
            .map_err(|error| SocketError::Io(path.clone(), "cannot create its folder", error))?;
    }
    only_a_socket(path)?;
    Ok(SocketPlace {
        path: path.clone(),
        mode: config.mode,
        group,
        lock: lock(path)?,
    })
}

impl SocketPlace {
    /// Binds the socket.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn bind(self) -> Result<Socket, SocketError> {
        let (listener, inode) = self.listen()?;
        Ok(Socket::new(self, listener, inode))
    }

    /// A new socket in this place, and its inode.
    fn listen(&self) -> Result<(UnixListener, u64), SocketError> {
        let path = &self.path;
        let failed = |what| move |error| SocketError::Io(path.clone(), what, error);
        let temporary = temporary(path);
        only_a_socket(&temporary)?;
        let _ = fs::remove_file(&temporary);
        let listener = listen(&temporary).map_err(failed("cannot bind it"))?;
        if let Some(group) = self.group {
            std::os::unix::fs::chown(&temporary, None, Some(group))
                .map_err(failed("cannot set its group"))?;
        }
        fs::set_permissions(&temporary, Permissions::from_mode(self.mode))
            .map_err(failed("cannot set its permissions"))?;
        fs::rename(&temporary, path).map_err(failed("cannot move it into place"))?;
        let metadata = fs::symlink_metadata(path).map_err(failed("cannot stat it"))?;
        Ok((listener, metadata.ino()))
    }

    /// Makes sure that the place is still reserved: if the folder was emptied, the lock file is gone, and another agent
    /// may have started since.
    fn keep(&mut self) -> Result<(), SocketError> {
        let held = self.lock.metadata().map(|metadata| metadata.ino());
        let there = fs::symlink_metadata(lock_path(&self.path)).map(|metadata| metadata.ino());
        if !matches!((held, there), (Ok(held), Ok(there)) if held == there) {
            self.lock = lock(&self.path)?;
        }
        Ok(())
    }
}

/// Nothing but an old socket may be replaced.
fn only_a_socket(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(()),
        Ok(_) => Err(SocketError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SocketError::Io(path.to_owned(), "cannot stat it", error)),
    }
}

/// The temporary path of the socket. If there is no room for a suffix, the last byte is changed.
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

/// Listens at a new path. Only the owner has access from the first moment on: binding uses the mode that is set on the
/// socket before.
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
    let name = lock_path(path);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&name)
        .map_err(|error| SocketError::Io(path.to_owned(), "cannot open its lock file", error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| SocketError::Taken(path.to_owned()))?;
    Ok(file)
}

fn lock_path(path: &Path) -> PathBuf {
    beside(path, ".lck")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
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

#[cfg(test)]
mod tests;
