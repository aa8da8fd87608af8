//! Requests as bytes: what no HTTP library would send, over HTTP/1.1 and HTTP/2, with and without TLS.

mod frames;
mod hpack;
mod kept;

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub use self::kept::Kept;
use crate::client::{Tls, Version};

const LIMIT: Duration = Duration::from_secs(10);

/// The bytes that the characters of a table stand for, by their number.
#[must_use]
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

/// A request whose every byte is the caller's.
#[derive(Clone, Debug, Default)]
pub struct RawRequest {
    /// `GET`.
    pub method: Vec<u8>,
    /// `:path`, or the second word of the request line.
    pub target: Vec<u8>,
    /// `:authority`, or `host`; none is left out.
    pub host: Option<Vec<u8>>,
    /// In this order.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawAnswer {
    /// None: the stream or the connection was ended without an answer.
    pub status: Option<u16>,
    /// The first line and the headers, in the form of HTTP/1.1.
    pub head: String,
    /// The body.
    pub body: String,
}

/// A connection of either kind.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

impl RawRequest {
    /// `GET target` of `host`.
    #[must_use]
    pub fn get(host: &str, target: &str) -> Self {
        Self {
            method: b"GET".to_vec(),
            target: target.into(),
            host: Some(host.into()),
            headers: Vec::new(),
        }
    }

    /// Sends it on a connection of its own, with TLS if given (the SNI is `app.example`).
    ///
    /// # Errors
    /// There was no connection, or the answer takes too long.
    pub async fn send(&self, port: u16, tls: Option<&Tls>, version: Version) -> Result<RawAnswer> {
        self.send_as(port, tls, "app.example", version).await
    }

    /// The same with another SNI.
    ///
    /// # Errors
    /// As those of [`Self::send`].
    pub async fn send_as(
        &self,
        port: u16,
        tls: Option<&Tls>,
        sni: &str,
        version: Version,
    ) -> Result<RawAnswer> {
        let exchange = async {
            let mut wire: Box<dyn Wire> = match tls {
                Some(tls) => Box::new(tls.connect(port, sni).await?),
                None => Box::new(TcpStream::connect(("127.0.0.1", port)).await?),
            };
            let bytes = match version {
                Version::H1 => self.as_text(),
                Version::H2 => [frames::preface(), frames::request(self, tls.is_some(), 1)].concat(),
            };
            // A server that rejects a request may close before it has read all of it.
            let _ = wire.write_all(&bytes).await;
            // With TLS, what was written may still lie here.
            let _ = wire.flush().await;
            match version {
                Version::H1 => read_text(&mut wire, &self.method).await,
                Version::H2 => frames::read(&mut wire, &mut Vec::new()).await,
            }
        };
        tokio::time::timeout(LIMIT, exchange)
            .await
            .context("an answer takes too long")?
    }

    fn as_text(&self) -> Vec<u8> {
        let mut text = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        let host = self.host.iter().map(|host| (&b"host"[..], &host[..]));
        let others = self.headers.iter().map(|(name, value)| (&name[..], &value[..]));
        for (name, value) in host.chain(others) {
            text.extend([name, b": ", value, b"\r\n"].concat());
        }
        text.extend(b"\r\n");
        text
    }
}

/// Reads one answer: as much as its `content-length` says, and all that comes after an upgrade. To HEAD there is no body.
async fn read_text(wire: &mut Box<dyn Wire>, method: &[u8]) -> Result<RawAnswer> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break String::from_utf8_lossy(&bytes.drain(..end + 4).collect::<Vec<u8>>()).into_owned();
        }
        if !more(wire, &mut bytes).await {
            return Ok(RawAnswer::default());
        }
    };
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let length = lines.find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let length = if status == Some(101) {
        usize::MAX
    } else if method == b"HEAD" {
        0
    } else {
        length.unwrap_or(0)
    };
    while bytes.len() < length && more(wire, &mut bytes).await {}
    Ok(RawAnswer {
        status,
        body: String::from_utf8_lossy(&bytes).into_owned(),
        head,
    })
}

/// Whether more came; a reset is an end too.
async fn more(wire: &mut Box<dyn Wire>, bytes: &mut Vec<u8>) -> bool {
    wire.read_buf(bytes).await.is_ok_and(|count| count > 0)
}
