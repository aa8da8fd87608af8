//! A TLS client that takes any certificate of which the public key can be found, and checks the handshake's signature
//! with it: libraries that read certificates more strictly would hide what Envoy does with odd ones.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{ActiveKeyExchange, CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, NamedGroup, SignatureScheme, SupportedProtocolVersion,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

const LIMIT: Duration = Duration::from_secs(10);

/// Offered and never used: a server takes an offer of the curve as leave to show a certificate of it.
#[derive(Debug)]
struct P521;

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Err(Error::General("not for use".to_owned()))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[derive(Debug)]
struct BySpki(Arc<CryptoProvider>);

impl BySpki {
    /// In TLS 1.2 the scheme does not say the curve, so several algorithms may be tried.
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let (_, certificate) = X509Certificate::from_der(certificate)
            .map_err(|_| Error::General("no certificate".to_owned()))?;
        let key = &certificate.public_key().subject_public_key.data;
        let algorithms = self.0.signature_verification_algorithms.mapping;
        algorithms
            .iter()
            .filter(|(scheme, _)| *scheme == signed.scheme)
            .flat_map(|(_, algorithms)| *algorithms)
            .any(|algorithm| {
                algorithm
                    .verify_signature(key, message, signed.signature())
                    .is_ok()
            })
            .then(HandshakeSignatureValid::assertion)
            .ok_or_else(|| Error::General("the handshake is not signed by the certificate's key".to_owned()))
    }
}

impl ServerCertVerifier for BySpki {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Shakes hands for `host` with the client certificate, and waits for an echo: in TLS 1.3 a server that refuses the
/// client says so only after the handshake.
///
/// # Errors
/// There was no handshake, or the server rejected the client.
pub async fn knock(
    port: u16,
    host: &str,
    version: &'static SupportedProtocolVersion,
    (certificate, key): (&str, &str),
) -> Result<()> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups.push(&P521);
    let provider = Arc::new(provider);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BySpki(provider)))
        .with_client_auth_cert(
            CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>()?,
            PrivateKeyDer::from_pem_slice(key.as_bytes())?,
        )?;
    config.resumption = rustls::client::Resumption::disabled();
    let exchange = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.context("connect")?;
        let name = ServerName::try_from(host.to_owned())?;
        let mut stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .context("handshake")?;
        stream.write_all(b"knock").await.context("write")?;
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).await.context("read")?;
        ensure!(&echo == b"knock", "another echo");
        Ok(())
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .context("it takes too long")?
}
