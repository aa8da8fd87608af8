//! A client of HTTP/3, which looks at what it is shown.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use h3::client::SendRequest;
use h3_quinn::OpenStreams;
use http::Request;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connection, Endpoint};
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::task::JoinHandle;

use crate::client::{Answer, Tls, Version};
use crate::pki::Leaf;

const LIMIT: Duration = Duration::from_secs(5);

/// How to speak QUIC.
#[derive(Clone, Debug)]
pub struct QuicTls(ClientConfig);

impl QuicTls {
    /// A configuration, with a client certificate if given. It resumes nothing.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn new(identity: Option<&Leaf>) -> Result<Self> {
        Self::of(Tls::new(Version::H2, identity)?.config().clone())
    }

    /// One that notes what the tickets allow that it gets.
    fn noting(tickets: &Arc<Tickets>) -> Result<Self> {
        let mut config = Tls::new(Version::H2, None)?.config().clone();
        config.resumption = Resumption::store(Arc::<Tickets>::clone(tickets));
        Self::of(config)
    }

    fn of(mut config: rustls::ClientConfig) -> Result<Self> {
        config.alpn_protocols = vec![b"h3".to_vec()];
        Ok(Self(ClientConfig::new(Arc::new(QuicClientConfig::try_from(
            config,
        )?))))
    }
}

/// One open connection.
pub struct QuicConnection {
    sender: SendRequest<OpenStreams, Bytes>,
    /// It ends with the connection.
    driver: JoinHandle<()>,
    connection: Connection,
    /// The certificate that the handshake showed.
    pub leaf: Vec<u8>,
}

impl Drop for QuicConnection {
    fn drop(&mut self) {
        self.connection.close(0x100_u32.into(), b"");
        self.driver.abort();
    }
}

impl QuicConnection {
    /// Connects and shakes hands; `name` is the SNI.
    ///
    /// # Errors
    /// Either failed, or took too long.
    pub async fn open(port: u16, name: &str, tls: &QuicTls) -> Result<Self> {
        Self::open_within(port, name, tls, LIMIT).await
    }

    /// The same, but expected to fail, possibly because nothing listens.
    ///
    /// # Errors
    /// Either failed, or took too long.
    pub async fn open_within(port: u16, name: &str, tls: &QuicTls, limit: Duration) -> Result<Self> {
        let open = async {
            let connection = connecting(port, name, tls)?.await.context("handshake")?;
            Self::over(connection).await
        };
        tokio::time::timeout(limit, open)
            .await
            .context("a handshake takes too long")?
    }

    async fn over(connection: Connection) -> Result<Self> {
        let leaf = shown(&connection).context("no certificate was shown")?;
        let (mut driver, sender) = h3::client::new(h3_quinn::Connection::new(connection.clone())).await?;
        Ok(Self {
            sender,
            driver: tokio::spawn(async move { drop(driver.wait_idle().await) }),
            connection,
            leaf,
        })
    }

    /// Whether the other side has said goodbye: nothing may be sent any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.driver.is_finished() || self.connection.close_reason().is_some()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// It was not answered.
    pub async fn get(&mut self, host: &str, path: &str) -> Result<Answer> {
        self.get_with(host, path, &[]).await
    }

    /// The same with more headers.
    ///
    /// # Errors
    /// As those of [`Self::get`].
    pub async fn get_with(&mut self, host: &str, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        let request = headers.iter().fold(
            Request::get(format!("https://{host}{path}")),
            |request, (name, value)| request.header(*name, *value),
        );
        let exchange = async {
            let mut stream = self.sender.send_request(request.body(())?).await?;
            // A server that has answered need not read the rest of the request.
            let _ = stream.finish().await;
            let response = stream.recv_response().await?;
            let mut body = BytesMut::new();
            while let Some(mut part) = stream.recv_data().await? {
                body.extend_from_slice(&part.copy_to_bytes(part.remaining()));
            }
            Ok(Answer {
                status: response.status().as_u16(),
                body: String::from_utf8_lossy(&body).into_owned(),
                headers: response.headers().clone(),
            })
        };
        tokio::time::timeout(LIMIT, exchange)
            .await
            .context("an answer takes too long")?
    }
}

fn shown(connection: &Connection) -> Option<Vec<u8>> {
    let identity = connection.peer_identity()?;
    let certificates = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    certificates.first().map(|leaf| leaf.to_vec())
}

/// One request on a connection of its own, and the certificate that it was shown.
///
/// # Errors
/// It failed.
pub async fn fetch(port: u16, host: &str, path: &str, tls: &QuicTls) -> Result<(Answer, Vec<u8>)> {
    let mut connection = QuicConnection::open(port, host, tls).await?;
    let answer = connection.get(host, path).await?;
    Ok((answer, connection.leaf.clone()))
}

/// Of every ticket that a client gets for its next connection, how many bytes it may send there before the handshake is done.
///
/// # Errors
/// There is no connection.
pub async fn early_data(port: u16, name: &str) -> Result<Vec<u32>> {
    let tickets = Arc::new(Tickets::default());
    let mut open = QuicConnection::open(port, name, &QuicTls::noting(&tickets)?).await?;
    let answer = open.get(name, "/").await?;
    ensure!(answer.status == 200, "{}", answer.status);
    Ok(tickets.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// How much early data each ticket allows.
#[derive(Debug, Default)]
struct Tickets(Mutex<Vec<u32>>);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.push(ticket.max_early_data_size());
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

fn connecting(port: u16, name: &str, tls: &QuicTls) -> Result<quinn::Connecting> {
    let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    endpoint.set_default_client_config(tls.0.clone());
    Ok(endpoint.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), name)?)
}
