//! Identity to headers. What does not fit is left out whole: half a value would be another one.

use super::certificate::PeerIdentity;
use super::config::{CertHeader, IdentityConfig, Unverified, Xfcc};
use super::connection::{Connection, Standing};
use super::header::{CLIENT_CERT, CLIENT_CERT_CHAIN, Discrete, TLS, XFCC};
use super::{client_cert, escape, xfcc};

/// What names and values may take together: about half of what Envoy, and so a sidecar upstream, takes of a request's
/// headers. The client's own need the rest.
const LIMIT_BYTES: usize = 32 * 1024;

/// Where the facts come from.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// None without TLS.
    pub connection: Option<Connection<'a>>,
    /// How far the certificate is to be believed.
    pub standing: Standing,
    /// The leaf, in DER.
    pub leaf: Option<&'a [u8]>,
    /// What followed it in the handshake.
    pub chain: &'a [Vec<u8>],
}

/// What a request gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// To be set. A header that is not here is not there at all: a client's own was taken off before.
    pub set: Vec<(String, Vec<u8>)>,
    /// An XFCC element that follows those that came with the request.
    pub append: Option<Vec<u8>>,
    /// An XFCC header came with the request, or from Envoy, and may not stay.
    pub remove_xfcc: bool,
    /// A response that varies by the certificate must say so in a way that caches on the way understand.
    pub vary: bool,
    /// Headers that did not fit.
    pub left_out: Vec<String>,
    /// The certificate cannot be read: its fingerprint alone is told.
    pub unreadable: bool,
}

impl Rendered {
    /// The name of the header that [`Self::append`] and [`Self::remove_xfcc`] are about.
    pub const XFCC: &'static str = XFCC;
    /// Of a response's `vary`: no client sends these.
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

/// What a request on this connection gets, by this configuration.
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

/// XFCC cannot say that nobody checked: it is of a verified certificate or not there.
fn forwarded(
    config: &IdentityConfig,
    sources: &Sources<'_>,
    identity: Option<&PeerIdentity>,
    rendered: &mut Rendered,
) {
    // One is there only if the listener lets the client's through, or makes Envoy write the chain into one.
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

/// Envoy lets nothing else into an SNI; a header must hold nothing else whatever Envoy does.
fn visible(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_graphic).collect()
}
