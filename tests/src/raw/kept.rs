//! Connections that one request after the other goes over.

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{LIMIT, RawAnswer, RawRequest, Wire, frames, read_text};
use crate::client::{Tls, Version};

/// A connection that is reopened after an answer that closes it or turns it into a tunnel (`CONNECT`), or after a
/// request without an answer. Nothing is sent twice, so that tests see a server that closes a connection without
/// notice.
pub struct Kept {
    port: u16,
    version: Version,
    tls: Option<(Tls, String)>,
    open: Option<Open>,
}

struct Open {
    wire: Box<dyn Wire>,
    /// Of HTTP/2: what was read behind the last answer, and the next stream.
    bytes: Vec<u8>,
    stream: u32,
}

/// Windows are wide enough for so many streams.
const STREAMS: u32 = 1_000;

impl Kept {
    /// To this port, with TLS and this SNI if given.
    #[must_use]
    pub fn new(port: u16, version: Version, tls: Option<(Tls, String)>) -> Self {
        Self {
            port,
            version,
            tls,
            open: None,
        }
    }

    /// Sends a request whose answer has a body if it has a length.
    ///
    /// # Errors
    /// There was no connection, the answer takes too long, or the last answer was longer than it said.
    pub async fn send(&mut self, request: &RawRequest) -> Result<RawAnswer> {
        self.look()?;
        let answer = tokio::time::timeout(LIMIT, self.exchange(request));
        let answer = answer.await.context("an answer takes too long")??;
        let closes = answer
            .head
            .to_ascii_lowercase()
            .contains("\r\nconnection: close\r\n");
        // What follows is a tunnel's.
        let tunnels = request.method == b"CONNECT" && answer.status.is_some_and(|status| status / 100 == 2);
        if answer.status.is_none() || closes || tunnels {
            self.open = None;
        }
        Ok(answer)
    }

    /// Nothing came that nobody asked for.
    fn look(&mut self) -> Result<()> {
        let Some(open) = self.open.as_mut().filter(|_| self.version == Version::H1) else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        let _ = open.wire.read_buf(&mut bytes).now_or_never();
        let text = String::from_utf8_lossy(&bytes);
        ensure!(bytes.is_empty(), "behind the last answer came {text:?}");
        Ok(())
    }

    async fn exchange(&mut self, request: &RawRequest) -> Result<RawAnswer> {
        if self.open.as_ref().is_some_and(|open| open.stream > 2 * STREAMS) {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        let open = self.open.as_mut().context("no connection")?;
        let bytes = match self.version {
            Version::H1 => request.as_text(),
            Version::H2 => frames::request(request, self.tls.is_some(), open.stream),
        };
        open.stream += 2;
        let _ = open.wire.write_all(&bytes).await;
        let _ = open.wire.flush().await;
        match self.version {
            Version::H1 => read_text(&mut open.wire, &request.method).await,
            Version::H2 => frames::read(&mut open.wire, &mut open.bytes).await,
        }
    }

    async fn connect(&self) -> Result<Open> {
        let mut wire: Box<dyn Wire> = if let Some((tls, sni)) = &self.tls {
            Box::new(tls.connect(self.port, sni).await?)
        } else {
            let wire = TcpStream::connect(("127.0.0.1", self.port)).await?;
            wire.set_nodelay(true)?;
            Box::new(wire)
        };
        if self.version == Version::H2 {
            wire.write_all(&frames::preface()).await?;
        }
        Ok(Open {
            wire,
            bytes: Vec::new(),
            stream: 1,
        })
    }
}
