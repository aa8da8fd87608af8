//! Any bytes as the server name of a real TLS 1.3 handshake: with a trailing dot, in capitals, of any length.
//!
//! The library sends only valid names, in normalized form. So it sends a placeholder, and the real name replaces it
//! everywhere that the ClientHello goes: on the wire, and in the transcript hash.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context as _, Result};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, SupportedCipherSuite, Tls13CipherSuite};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const STAND_IN: &str = ".stand-in.invalid";
/// As much as a record holds, and more than a ClientHello is.
const RECORD: usize = 17_000;

/// The names that stand-ins stand for, by their number: a hash function of the library has no state of a connection.
static NAMES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// The stand-in of a name; without one, nothing is sent.
fn stand_in(sni: Option<&[u8]>) -> Result<ServerName<'static>> {
    let Some(sni) = sni else {
        return Ok(ServerName::try_from("127.0.0.1")?);
    };
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let number = names.iter().position(|name| name == sni).unwrap_or_else(|| {
        names.push(sni.to_vec());
        names.len() - 1
    });
    Ok(ServerName::try_from(format!("n{number}{STAND_IN}"))?)
}

fn real(stand_in: &[u8]) -> Option<Vec<u8>> {
    let name = std::str::from_utf8(stand_in).ok()?;
    let number: usize = name.strip_suffix(STAND_IN)?.strip_prefix('n')?.parse().ok()?;
    let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.get(number).cloned()
}

/// Shakes hands with this server name on a new connection. `config` must have [`provider`]'s functions.
///
/// # Errors
/// Either failed.
pub(crate) async fn connect(
    config: &Arc<ClientConfig>,
    port: u16,
    sni: Option<&[u8]>,
) -> Result<TlsStream<DuplexStream>> {
    let name = stand_in(sni)?;
    let mut wire = TcpStream::connect(("127.0.0.1", port)).await.context("connect")?;
    wire.set_nodelay(true)?;
    let (near, mut far) = tokio::io::duplex(RECORD);
    tokio::spawn(async move {
        let mut header = [0; 5];
        far.read_exact(&mut header).await?;
        let [kind, major, minor, length @ ..] = header;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        far.read_exact(&mut message).await?;
        let message = renamed(&message).unwrap_or(message);
        wire.write_all(&[&[kind, major, minor][..], &counted(&message)].concat())
            .await?;
        tokio::io::copy_bidirectional(&mut far, &mut wire).await
    });
    TlsConnector::from(Arc::clone(config))
        .connect(name, near)
        .await
        .context("handshake")
}

/// One suite, whose hash function knows the real names.
#[must_use]
pub(crate) fn provider() -> CryptoProvider {
    static SUITE: OnceLock<Tls13CipherSuite> = OnceLock::new();
    let SupportedCipherSuite::Tls13(usual) = aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        return aws_lc_rs::default_provider();
    };
    let suite = SUITE.get_or_init(|| Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: usual.common.suite,
            hash_provider: &Renaming,
            confidentiality_limit: usual.common.confidentiality_limit,
        },
        hkdf_provider: usual.hkdf_provider,
        aead_alg: usual.aead_alg,
        quic: None,
    });
    CryptoProvider {
        cipher_suites: vec![SupportedCipherSuite::Tls13(suite)],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
}

/// SHA-256 of what was sent in truth.
struct Renaming;

fn usual() -> Option<&'static dyn Hash> {
    match aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256 {
        SupportedCipherSuite::Tls13(suite) => Some(suite.common.hash_provider),
        SupportedCipherSuite::Tls12(_) => None,
    }
}

#[expect(clippy::expect_used, reason = "the suite is of TLS 1.3 by its name")]
impl Hash for Renaming {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Renamed(usual().expect("TLS 1.3").start()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        let hash = usual().expect("TLS 1.3");
        renamed(data).map_or_else(|| hash.hash(data), |real| hash.hash(&real))
    }

    fn output_len(&self) -> usize {
        32
    }

    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }
}

struct Renamed(Box<dyn Context>);

impl Context for Renamed {
    fn fork_finish(&self) -> Output {
        self.0.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.fork()))
    }

    fn finish(self: Box<Self>) -> Output {
        self.0.finish()
    }

    fn update(&mut self, data: &[u8]) {
        match renamed(data) {
            Some(real) => self.0.update(&real),
            None => self.0.update(data),
        }
    }
}

/// A length of two bytes, then the bytes.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Takes what a length of `size` bytes counts.
fn take<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_at_checked(size)?;
    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

/// The ClientHello with the real name; none if it is something else, or has no stand-in.
fn renamed(message: &[u8]) -> Option<Vec<u8>> {
    let mut rest = message.strip_prefix(&[1])?;
    let body = take(&mut rest, 3)?;
    // The version and 32 random bytes, then session, suites and compression.
    let mut rest = body.get(34..)?;
    for size in [1, 2, 1] {
        take(&mut rest, size)?;
    }
    let head = body.get(..body.len() - rest.len())?;
    let (mut all, mut extensions, mut found) = (take(&mut rest, 2)?, Vec::new(), false);
    while let Some((kind, mut content)) = all.split_at_checked(2) {
        let own = take(&mut content, 2)?;
        all = content;
        let name = (kind == [0, 0])
            .then(|| real(own.get(5..)?))
            .flatten()
            .map(|name| counted(&[&[0][..], &counted(&name)].concat()));
        found |= name.is_some();
        extensions.extend([kind, &counted(name.as_deref().unwrap_or(own))].concat());
    }
    let body = [head, &counted(&extensions)].concat();
    let length = u32::try_from(body.len()).ok()?.to_be_bytes();
    found.then(|| [&[1], length.get(1..).unwrap_or_default(), &body].concat())
}
