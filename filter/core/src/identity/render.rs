//! Renders an identity as headers. What does not fit is left out completely: half a value would be a different one.

use super::certificate::PeerIdentity;
use super::config::{CertHeader, IdentityConfig, Unverified, Xfcc};
use super::connection::{Connection, Standing};
use super::header::{CLIENT_CERT, CLIENT_CERT_CHAIN, Discrete, TLS, XFCC};
use super::{client_cert, escape, xfcc};

/// The maximum size of names and values together: about half of what Envoy, and therefore a sidecar upstream, accepts
/// for a request's headers. The client's headers need the rest.
const LIMIT_BYTES: usize = 32 * 1024;

/// Where the facts come from.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// None without TLS.
    pub connection: Option<Connection<'a>>,
    /// How far the certificate can be trusted.
    pub standing: Standing,
    /// The leaf, in DER.
    pub leaf: Option<&'a [u8]>,
    /// What followed it in the handshake.
    pub chain: &'a [Vec<u8>],
}

/// What a request gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Headers to be set. Those missing here do not exist at all: the client's were removed before.
    pub set: Vec<(String, Vec<u8>)>,
    /// An XFCC element that follows those that came with the request.
    pub append: Option<Vec<u8>>,
    /// Whether an XFCC header came with the request, or from Envoy, and must be removed.
    pub remove_xfcc: bool,
    /// Whether a response that varies by the certificate must say so in a way that caches understand.
    pub vary: bool,
    /// Headers that did not fit.
    pub left_out: Vec<String>,
    /// Whether the certificate cannot be read: then upstreams only get its fingerprint.
    pub unreadable: bool,
}

impl Rendered {
    /// The name of the header that [`Self::append`] and [`Self::remove_xfcc`] are about.
    pub const XFCC: &'static str = XFCC;
    /// Names in a response's `vary` that no client sends.
    pub const VARYING: [&'static str; 2] = [CLIENT_CERT, CLIENT_CERT_CHAIN];

    fn add(&mut self, name: String, value: Vec<u8>) {
        if value.is_empty() {
            return;
        }
        if self.used() + name.len() + value.len() > LIMIT_BYTES {
            self.left_out.push(name);
        } else {
            self.set.push((name, value));
        }
    }

    fn used(&self) -> usize {
        self.set
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }
}

/// What a request on this connection gets with this configuration.
#[must_use]
pub fn render(config: &IdentityConfig, sources: &Sources<'_>) -> Rendered {
    let identity = sources.leaf.map(PeerIdentity::from_der);
    let mut rendered = Rendered {
        vary: config.client_cert != CertHeader::Off,
        unreadable: matches!(identity, Some(Err(_))),
        ..Rendered::default()
    };
    let identity = identity.and_then(Result::ok);
    discrete(config, sources, identity.as_ref(), &mut rendered);
    if config.has(Discrete::Tls)
        && let Some(connection) = &sources.connection
    {
        let facts = [connection.version, connection.cipher, connection.sni];
        for (name, fact) in TLS.into_iter().zip(facts) {
            rendered.add(name.to_owned(), fact.map(visible).unwrap_or_default());
        }
    }
    forwarded(config, sources, identity.as_ref(), &mut rendered);
    if sources.standing == Standing::Verified && config.client_cert != CertHeader::Off {
        certificates(config, sources, &mut rendered);
    }
    rendered
}

fn discrete(
    config: &IdentityConfig,
    sources: &Sources<'_>,
    identity: Option<&PeerIdentity>,
    rendered: &mut Rendered,
) {
    let shown = match sources.standing {
        Standing::None => false,
        Standing::Presented => config.unverified == Unverified::Show,
        Standing::Verified => true,
    };
    for header in Discrete::ALL.into_iter().filter(|header| config.has(*header)) {
        let Some(suffix) = header.suffix() else { continue };
        let value = match header {
            Discrete::Verified => sources.standing.as_str().into(),
            _ if !shown => continue,
            Discrete::Sha256 => fingerprint(sources).into(),
            _ => identity
                .map(|identity| fact(header, identity))
                .unwrap_or_default(),
        };
        rendered.add(format!("{}{suffix}", config.prefix), value);
    }
}

fn fact(header: Discrete, identity: &PeerIdentity) -> Vec<u8> {
    match header {
        Discrete::Subject => identity.subject.clone().into(),
        Discrete::Issuer => identity.issuer.clone().into(),
        Discrete::Serial => identity.serial.clone().into(),
        Discrete::NotBefore => identity.not_before.clone().into(),
        Discrete::NotAfter => identity.not_after.clone().into(),
        Discrete::UriSan => escape::list(&identity.uri_sans),
        Discrete::DnsSan => escape::list(&identity.dns_sans),
        Discrete::IpSan => escape::list(&identity.ip_sans),
        Discrete::EmailSan => escape::list(&identity.email_sans),
        Discrete::Verified | Discrete::Sha256 | Discrete::Tls => Vec::new(),
    }
}

fn fingerprint<'a>(sources: &Sources<'a>) -> &'a str {
    sources
        .connection
        .and_then(|connection| connection.sha256)
        .unwrap_or_default()
}

/// XFCC cannot say that a certificate is unverified, so it is only written for verified ones.
fn forwarded(
    config: &IdentityConfig,
    sources: &Sources<'_>,
    identity: Option<&PeerIdentity>,
    rendered: &mut Rendered,
) {
    // There is one only if the listener lets the client's through, or makes Envoy write the chain into one.
    let may_be_there = config.xfcc == Xfcc::AppendForward || config.client_cert == CertHeader::Chain;
    if sources.standing == Standing::Verified && config.xfcc != Xfcc::Off {
        let element = xfcc::element(fingerprint(sources), identity);
        let fits = rendered.used() + XFCC.len() + element.len() <= LIMIT_BYTES;
        if config.xfcc == Xfcc::AppendForward && fits {
            rendered.append = Some(element);
            return;
        }
        rendered.add(XFCC.to_owned(), element);
    }
    let is_set = rendered.set.iter().any(|(name, _)| name == XFCC);
    rendered.remove_xfcc = may_be_there && !is_set;
}

/// The chain never without the leaf.
fn certificates(config: &IdentityConfig, sources: &Sources<'_>, rendered: &mut Rendered) {
    let Some(leaf) = sources.leaf else { return };
    rendered.add(CLIENT_CERT.to_owned(), client_cert::leaf(leaf));
    let has_leaf = rendered.set.iter().any(|(name, _)| name == CLIENT_CERT);
    if config.client_cert == CertHeader::Chain && has_leaf {
        let chain = client_cert::chain(sources.chain).unwrap_or_default();
        rendered.add(CLIENT_CERT_CHAIN.to_owned(), chain);
    }
}

/// Envoy allows nothing else in an SNI; a header must not contain anything else, whatever Envoy does.
fn visible(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_graphic).collect()
}
