//! An upstream whose answers say how it was reached: the connection, the server name, and the client certificate.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::pki::{Authority, Leaf};

/// What a TLS record of a handshake begins with.
const HANDSHAKE: u8 = 22;

/// See the module. It ends with the runtime.
#[derive(Clone, Debug)]
pub struct OriginServer {
    /// In each answer.
    name: &'static str,
    /// Where it listens on loopback.
    pub port: u16,
    status: Arc<AtomicU16>,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    firsts: Arc<Mutex<Vec<String>>>,
    over: Arc<watch::Sender<bool>>,
}

/// What it knows of a connection.
#[derive(Clone, Default)]
struct Reached {
    sni: String,
    client: String,
}

/// TLS of an upstream: its certificate, and the CA of its clients.
///
/// # Errors
/// The library's.
pub fn tls(leaf: &Leaf, clients: Option<&Authority>) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes())?;
    let provider = Arc::new(default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes())?)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build()?)
        }
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_single_cert(chain, key)?)
}

impl OriginServer {
    /// Starts one; with TLS if it is given.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(name: &'static str, tls: Option<ServerConfig>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = Self {
            name,
            port: listener.local_addr()?.port(),
            status: Arc::new(AtomicU16::new(200)),
            connections: Arc::default(),
            requests: Arc::default(),
            firsts: Arc::default(),
            over: Arc::new(watch::Sender::new(false)),
        };
        let (own, acceptor) = (origin.clone(), tls.map(|tls| TlsAcceptor::from(Arc::new(tls))));
        let over = origin.over.subscribe();
        let accepting = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let over = own.over.subscribe();
                tokio::spawn(until(over, own.clone().accept(stream, acceptor.clone())));
            }
        };
        tokio::spawn(until(over, accepting));
        Ok(origin)
    }

    /// From now on nobody listens there, and all connections are closed.
    pub fn end(&self) {
        self.over.send_replace(true);
    }

    /// The status of its answers from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// How many connections came.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// The first line of what came on each connection.
    #[must_use]
    pub fn firsts(&self) -> Vec<String> {
        self.firsts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn accept(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) -> Result<()> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let Some(acceptor) = acceptor else {
            return self.serve(stream, number, Reached::default()).await;
        };
        let stream = acceptor.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let client = session.peer_certificates().and_then(<[_]>::first);
        let client = client.map(|der| serial(der)).transpose()?.unwrap_or_default();
        let sni = session.server_name().unwrap_or_default().to_owned();
        self.serve(stream, number, Reached { sni, client }).await
    }

    /// One request after the other, without bodies.
    async fn serve(
        self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        number: usize,
        reached: Reached,
    ) -> Result<()> {
        let (mut bytes, mut is_first) = (Vec::new(), true);
        while stream.read_buf(&mut bytes).await? > 0 {
            // TLS, to one that has none: a client would wait for long.
            ensure!(bytes.first() != Some(&HANDSHAKE), "a handshake");
            while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = bytes.drain(..end + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                if std::mem::take(&mut is_first) {
                    let line = head.lines().next().unwrap_or_default().to_owned();
                    self.firsts
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(line);
                }
                self.requests.fetch_add(1, Ordering::Relaxed);
                let Reached { sni, client } = &reached;
                let body = format!(
                    "{} connection={number} sni={sni} client={client}\n{head}",
                    self.name
                );
                let status = self.status.load(Ordering::Relaxed);
                let answer = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await?;
            }
        }
        Ok(())
    }
}

async fn until<T>(mut over: watch::Receiver<bool>, work: impl Future<Output = T>) {
    tokio::select! {
        _ = over.wait_for(|over| *over) => {}
        _ = work => {}
    }
}

fn serial(der: &[u8]) -> Result<String> {
    let (_, certificate) = X509Certificate::from_der(der).context("the client's certificate")?;
    Ok(format!("{:x}", certificate.serial))
}
