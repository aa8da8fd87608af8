//! A bound socket: who may connect, and what happens if its file disappears.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream, unix::UCred};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{SocketError, SocketPlace};

/// How often the file is checked. Others delete it: Istio's pilot-agent does if it gets no answer when it starts.
const LOOK: Duration = Duration::from_secs(1);
/// Permission for others to connect.
const OTHERS_CONNECT: u32 = 0o002;

/// A bound socket. Its file is removed when this is dropped, unless someone else has put another one there.
#[derive(Debug)]
pub struct Socket {
    place: SocketPlace,
    listener: UnixListener,
    inode: u64,
    look: Interval,
    /// Why nobody can connect now, as last logged.
    said: Option<String>,
}

impl Socket {
    pub(super) fn new(place: SocketPlace, listener: UnixListener, inode: u64) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            place,
            listener,
            inode,
            look,
            said: None,
        }
    }

    /// The next connection from a permitted peer. Meanwhile, restores a file that disappears.
    ///
    /// # Errors
    /// A connection cannot be accepted.
    pub async fn accept(&mut self) -> io::Result<UnixStream> {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (connection, _) = accepted?;
                    let peer = connection.peer_cred().ok();
                    if self.admits(peer.as_ref()) {
                        return Ok(connection);
                    }
                    tracing::warn!(
                        ?peer,
                        "refused a connection to the socket: the peer is not root or the agent's user, and its \
                         primary group is not \
                         --socket-group"
                    );
                }
                _ = self.look.tick() => self.look(),
            }
        }
    }

    /// Whether a peer is permitted. The kernel only lets those connect who may write to the file, considering
    /// supplementary groups, so they are permitted. If everyone may write to it, the kernel has checked nothing: then
    /// root, the agent's user and the socket's group are permitted; of a peer's groups, the kernel only reveals the
    /// primary one.
    fn admits(&self, peer: Option<&UCred>) -> bool {
        if !self.is_for_all() {
            return true;
        }
        peer.is_some_and(|peer| self.knows(peer.uid(), peer.gid()))
    }

    /// Whether everyone may connect: as it was bound, or as someone has set it since.
    fn is_for_all(&self) -> bool {
        let now = self.own_file().map_or(0, |file| file.mode());
        (self.place.mode | now) & OTHERS_CONNECT != 0
    }

    fn knows(&self, uid: u32, gid: u32) -> bool {
        let own = rustix::process::geteuid().as_raw();
        uid == 0 || uid == own || self.place.group == Some(gid)
    }

    /// The socket's file, unless another one is in its place.
    fn own_file(&self) -> Option<Metadata> {
        let file = fs::symlink_metadata(&self.place.path).ok()?;
        (file.ino() == self.inode).then_some(file)
    }

    /// Restores a file that has disappeared. If someone else has put something there, that stays.
    fn look(&mut self) {
        let reason = match fs::symlink_metadata(&self.place.path) {
            Ok(file) if file.ino() == self.inode => None,
            Ok(_) => Some("another file took its place and is left alone".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.put_back().err().map(|error| error.to_string())
            }
            Err(error) => Some(error.to_string()),
        };
        if self.said != reason {
            if let Some(reason) = &reason {
                let socket = self.place.path.display();
                tracing::error!(%socket, "no new proxy can connect: {reason}");
            }
            self.said = reason;
        }
    }

    /// Accepted connections stay open.
    fn put_back(&mut self) -> Result<(), SocketError> {
        self.place.keep()?;
        let (listener, inode) = self.place.listen()?;
        (self.listener, self.inode) = (listener, inode);
        let socket = self.place.path.display();
        tracing::warn!(%socket, "the socket file was deleted; created it again");
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.own_file().is_some() {
            let _ = fs::remove_file(&self.place.path);
        }
    }
}

#[cfg(test)]
mod tests;
