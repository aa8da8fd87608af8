//! A proxy between a client and a server that passes bytes on, cuts connections, falls silent, or refuses connections.

use std::io;
use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Passes everything on.
    Open,
    /// Connections stay, new ones are taken, and nothing is passed on: what a lost route looks like.
    Silent,
    /// Connections are ended, and new ones too.
    Refusing,
}

/// See the module. It ends with the runtime.
#[derive(Clone, Debug)]
pub struct Wire {
    /// Where it listens on loopback.
    pub port: u16,
    mood: Arc<watch::Sender<Mood>>,
    cuts: Arc<watch::Sender<u64>>,
    mutes: Arc<watch::Sender<u64>>,
}

impl Wire {
    /// To this port of loopback.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn to(server: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let wire = Self {
            port: listener.local_addr()?.port(),
            mood: Arc::new(watch::Sender::new(Mood::Open)),
            cuts: Arc::new(watch::Sender::new(0)),
            mutes: Arc::new(watch::Sender::new(0)),
        };
        let own = wire.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(own.clone().carry(client, server));
            }
        });
        Ok(wire)
    }

    /// From now on.
    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
        if mood == Mood::Refusing {
            self.cut();
        }
    }

    /// Ends every connection of now.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Silences the present connections forever; new ones follow the current mode.
    pub fn mute(&self) {
        self.mutes.send_modify(|mutes| *mutes += 1);
    }

    async fn carry(self, client: TcpStream, server: u16) {
        let mut cuts = self.cuts.subscribe();
        if *self.mood.borrow() == Mood::Refusing {
            return;
        }
        let both = async {
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = TcpStream::connect(("127.0.0.1", server)).await?.into_split();
            tokio::select! {
                ended = self.pass(from_client, to_server) => ended,
                ended = self.pass(from_server, to_client) => ended,
            }
        };
        tokio::select! {
            _ = both => {}
            _ = cuts.changed() => {}
        }
    }

    async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> io::Result<()> {
        let mut mood = self.mood.subscribe();
        let mute = self.mutes.subscribe();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = from.read(&mut buffer).await?;
            if count == 0 {
                return Ok(());
            }
            if mute.has_changed().unwrap_or(true) {
                return std::future::pending().await;
            }
            // The sender lives in `self`.
            let _ = mood.wait_for(|mood| *mood != Mood::Silent).await;
            to.write_all(buffer.get(..count).unwrap_or_default()).await?;
        }
    }
}
