//! TLS and HTTP clients that look at what they are shown.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WantsClientCert};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, HandshakeKind, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pki::Leaf;

const LIMIT: Duration = Duration::from_secs(5);

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    H1,
    /// HTTP/2.
    H2,
}

/// Takes every certificate: the caller compares the leaf with the one that it expects. Signatures are checked.
#[derive(Debug)]
struct Recorder(Arc<CryptoProvider>);

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// How to speak TLS. Unless asked to, it resumes nothing, so that every handshake shows a certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    version: Version,
}

impl Tls {
    /// A configuration, with a client certificate if given.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn new(version: Version, identity: Option<&Leaf>) -> Result<Self> {
        Self::with(version, rustls::DEFAULT_VERSIONS, |builder| {
            let mut config = match identity {
                Some(leaf) => builder.with_client_auth_cert(
                    vec![CertificateDer::from(leaf.der.clone())],
                    PrivateKeyDer::from_pem_slice(leaf.key.as_bytes())?,
                )?,
                None => builder.with_no_client_auth(),
            };
            config.resumption = rustls::client::Resumption::disabled();
            Ok(config)
        })
    }

    /// A configuration for [`Connection::open_as`], which shows these certificates to whoever asks.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn for_any_sni(version: Version, resolver: Option<Arc<dyn ResolvesClientCert>>) -> Result<Self> {
        let provider = crate::any_sni::provider();
        Self::of(provider, version, &[&rustls::version::TLS13], |builder| {
            let mut config = match resolver {
                Some(resolver) => builder.with_client_cert_resolver(resolver),
                None => builder.with_no_client_auth(),
            };
            config.resumption = rustls::client::Resumption::disabled();
            Ok(config)
        })
    }

    /// Any configuration, of these TLS versions.
    ///
    /// # Errors
    /// What `finish` says.
    pub fn with(
        version: Version,
        protocols: &[&'static SupportedProtocolVersion],
        finish: impl FnOnce(ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<ClientConfig>,
    ) -> Result<Self> {
        Self::of(aws_lc_rs::default_provider(), version, protocols, finish)
    }

    fn of(
        provider: CryptoProvider,
        version: Version,
        protocols: &[&'static SupportedProtocolVersion],
        finish: impl FnOnce(ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<ClientConfig>,
    ) -> Result<Self> {
        let provider = Arc::new(provider);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(protocols)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Recorder(provider)));
        let mut config = finish(builder)?;
        config.alpn_protocols = vec![match version {
            Version::H1 => b"http/1.1".to_vec(),
            Version::H2 => b"h2".to_vec(),
        }];
        Ok(Self {
            config: Arc::new(config),
            version,
        })
    }

    /// How rustls is to speak it.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Connects and shakes hands; `name` is the SNI.
    ///
    /// # Errors
    /// Either failed.
    pub async fn connect(&self, port: u16, name: &str) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("connect")?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(name.to_owned())?;
        TlsConnector::from(Arc::clone(&self.config))
            .connect(name, stream)
            .await
            .context("handshake")
    }
}

/// One open connection.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    /// The certificate that the handshake showed.
    pub leaf: Vec<u8>,
    /// An earlier session is gone on with.
    pub is_resumed: bool,
}

#[derive(Debug)]
enum Sender {
    H1(http1::SendRequest<Empty<Bytes>>),
    /// With the scheme of its requests.
    H2(http2::SendRequest<Empty<Bytes>>, &'static str),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The headers.
    pub headers: http::HeaderMap,
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Either failed, or took too long.
    pub async fn open(port: u16, name: &str, tls: &Tls) -> Result<Self> {
        tokio::time::timeout(LIMIT, Self::open_unbounded(port, name, tls))
            .await
            .context("a handshake takes too long")?
    }

    async fn open_unbounded(port: u16, name: &str, tls: &Tls) -> Result<Self> {
        Self::over(tls.connect(port, name).await?, tls.version).await
    }

    /// The same with any bytes as server name, or none, if `tls` is [`Tls::for_any_sni`].
    ///
    /// # Errors
    /// Either failed, or took too long.
    pub async fn open_as(port: u16, sni: Option<&[u8]>, tls: &Tls) -> Result<Self> {
        let open = async {
            Self::over(
                crate::any_sni::connect(&tls.config, port, sni).await?,
                tls.version,
            )
            .await
        };
        tokio::time::timeout(LIMIT, open)
            .await
            .context("a handshake takes too long")?
    }

    async fn over<S>(stream: TlsStream<S>, version: Version) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let leaf = certificates
            .first()
            .map(|leaf| leaf.to_vec())
            .context("no certificate was shown")?;
        let is_resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        let sender = Sender::over(stream, version, "https").await?;
        Ok(Self {
            sender,
            leaf,
            is_resumed,
        })
    }

    /// Connects without TLS, for HTTP/1.1; no certificate is shown.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn open_plain(port: u16) -> Result<Self> {
        Self::open_plain_as(port, Version::H1).await
    }

    /// The same for any version.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn open_plain_as(port: u16, version: Version) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("connect")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            sender: Sender::over(stream, version, "http").await?,
            leaf: Vec::new(),
            is_resumed: false,
        })
    }

    /// Whether the other side has said goodbye: nothing may be sent any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.sender {
            Sender::H1(sender) => sender.is_closed(),
            Sender::H2(sender, _) => sender.is_closed(),
        }
    }

    /// Sends a request; none if the connection ended before it was sent.
    ///
    /// # Errors
    /// It was sent, and not answered.
    pub async fn get(&mut self, host: &str, path: &str) -> Result<Option<Answer>> {
        self.get_with(host, path, &[]).await
    }

    /// The same with more headers.
    ///
    /// # Errors
    /// As those of [`Self::get`].
    pub async fn get_with(
        &mut self,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Option<Answer>> {
        let request = |uri: &str| {
            headers.iter().fold(Request::get(uri), |request, (name, value)| {
                request.header(*name, *value)
            })
        };
        let exchange = async {
            let sent = match &mut self.sender {
                Sender::H1(sender) => {
                    if sender.ready().await.is_err() {
                        return Ok(None);
                    }
                    sender
                        .send_request(request(path).header("host", host).body(Empty::new())?)
                        .await
                }
                Sender::H2(sender, scheme) => {
                    if sender.ready().await.is_err() {
                        return Ok(None);
                    }
                    let url = format!("{scheme}://{host}{path}");
                    sender.send_request(request(&url).body(Empty::new())?).await
                }
            };
            match sent {
                Err(error) if error.is_canceled() => Ok(None),
                other => answer(other?).await.map(Some),
            }
        };
        tokio::time::timeout(LIMIT, exchange)
            .await
            .context("an answer takes too long")?
    }
}

impl Sender {
    async fn over<S>(stream: S, version: Version, scheme: &'static str) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        Ok(match version {
            Version::H1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Self::H1(sender)
            }
            Version::H2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Self::H2(sender, scheme)
            }
        })
    }
}

async fn answer(response: Response<Incoming>) -> Result<Answer> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status: parts.status.as_u16(),
        body: String::from_utf8_lossy(&body).into_owned(),
        headers: parts.headers,
    })
}

/// One request on a connection of its own, and the certificate that it was shown.
///
/// # Errors
/// It failed.
pub async fn fetch(port: u16, host: &str, path: &str, tls: &Tls) -> Result<(Answer, Vec<u8>)> {
    let mut connection = Connection::open(port, host, tls).await?;
    let answer = connection
        .get(host, path)
        .await?
        .context("the connection ended before the request")?;
    Ok((answer, connection.leaf))
}

/// One request without TLS.
///
/// # Errors
/// It failed.
pub async fn fetch_plain(port: u16, host: &str, path: &str) -> Result<Answer> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", host)
        .body(Empty::<Bytes>::new())?;
    let response = tokio::time::timeout(LIMIT, sender.send_request(request)).await??;
    answer(response).await
}
