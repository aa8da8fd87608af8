//! Upstreams and clients of raw connections: the upstream sends its name in the first line, with or without TLS, and
//! then echoes what it receives.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, copy, split};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::client::Tls;
use crate::origin;
use crate::pki::Leaf;

/// The longest wait for a line.
const LIMIT: Duration = Duration::from_secs(10);

/// Starts an upstream; it ends with the runtime. Gives its port.
///
/// # Errors
/// No port can be had, or the certificate cannot be used.
pub async fn start(name: &'static str, leaf: Option<&Leaf>) -> Result<u16> {
    let acceptor = leaf.map(acceptor).transpose()?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // What a client does to its connection is its own business.
                let _ = match acceptor {
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => serve(name, stream).await,
                        Err(error) => Err(error),
                    },
                    None => serve(name, stream).await,
                };
            });
        }
    });
    Ok(port)
}

fn acceptor(leaf: &Leaf) -> Result<TlsAcceptor> {
    Ok(TlsAcceptor::from(Arc::new(origin::tls(leaf, None)?)))
}

async fn serve(name: &str, stream: impl AsyncRead + AsyncWrite) -> std::io::Result<()> {
    let (mut from, mut to) = split(stream);
    to.write_all(format!("{name}\n").as_bytes()).await?;
    to.flush().await?;
    copy(&mut from, &mut to).await?;
    to.shutdown().await
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Both for S {}

/// An open connection.
pub struct Line {
    stream: BufReader<Box<dyn Both>>,
    /// Who answered.
    pub upstream: String,
    /// The certificate that was shown, in DER; empty without TLS.
    pub leaf: Vec<u8>,
}

impl Line {
    /// Connects, shakes hands, and reads who answers.
    ///
    /// # Errors
    /// One of these failed, or took too long.
    pub async fn open(port: u16, name: &str, tls: &Tls) -> Result<Self> {
        let open = async {
            let stream = tls.connect(port, name).await?;
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let leaf = shown.first().map(|leaf| leaf.to_vec());
            Self::over(Box::new(stream), leaf.context("no certificate was shown")?).await
        };
        tokio::time::timeout(LIMIT, open)
            .await
            .context("it takes too long")?
    }

    /// The same without TLS.
    ///
    /// # Errors
    /// One of these failed, or took too long.
    pub async fn open_plain(port: u16) -> Result<Self> {
        let open = async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            Self::over(Box::new(stream), Vec::new()).await
        };
        tokio::time::timeout(LIMIT, open)
            .await
            .context("it takes too long")?
    }

    async fn over(stream: Box<dyn Both>, leaf: Vec<u8>) -> Result<Self> {
        let mut line = Self {
            stream: BufReader::new(stream),
            upstream: String::new(),
            leaf,
        };
        line.upstream = line.read().await?;
        Ok(line)
    }

    async fn read(&mut self) -> Result<String> {
        let mut text = String::new();
        let length = self.stream.read_line(&mut text).await?;
        ensure!(length > 0, "the connection was closed");
        Ok(text.trim_end().to_owned())
    }

    /// Sends a line, and waits for it to come back.
    ///
    /// # Errors
    /// It does not.
    pub async fn echo(&mut self, text: &str) -> Result<()> {
        let echo = async {
            self.stream.write_all(format!("{text}\n").as_bytes()).await?;
            self.stream.flush().await?;
            let back = self.read().await?;
            ensure!(back == text, "{back:?} came back for {text:?}");
            Ok(())
        };
        tokio::time::timeout(LIMIT, echo).await.context("no echo")?
    }

    /// Waits until the other side closes the connection.
    ///
    /// # Errors
    /// It does not, or says something.
    pub async fn closed(&mut self) -> Result<()> {
        let mut text = String::new();
        let read = tokio::time::timeout(LIMIT, self.stream.read_line(&mut text)).await;
        match read.context("the connection stays open")? {
            Ok(0) | Err(_) => Ok(()),
            Ok(_) => anyhow::bail!("{text:?} came"),
        }
    }
}
