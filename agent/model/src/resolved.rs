//! The gateway as it will be served: what is left of Gateways, VirtualServices and Services once selectors,
//! hosts, ports and credentials are resolved. The builders beside this file turn it into Envoy's messages.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::arrival::EscapedSlashes;
use sealgate_core::identity::{IdentityConfig, IdentityPolicy, Misdirected};
use sealgate_core::rules::Mirror;
use sha2::{Digest as _, Sha256};

use crate::CredentialName;

/// One port that Envoy listens on.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedPort {
    /// The port's number in the Gateways: names the listener and the filter's configuration.
    pub number: u16,
    /// The port that Envoy binds (`--port-map`).
    pub bind: u16,
    /// One filter chain per server with TLS, or for many of them; a plain port has exactly one.
    pub chains: Vec<Arc<FilterChain>>,
    /// What upstreams are told of each chain's connections; a chain that is in none tells nothing.
    pub told: Vec<IdentityPolicy>,
    /// Whether some hosts may be asked for on some connections alone.
    pub demands: bool,
    /// What any Gateway lets identity headers begin with: no client may send such a header to any of them.
    pub prefixes: BTreeSet<String>,
    /// The lists of mirrors that rules of the port name, by their key: each has native routes.
    pub mirrors: Vec<(Arc<str>, Arc<[Mirror]>)>,
    /// Whether some rule lets requests wait: Envoy's fault filter does that.
    pub delays: bool,
}

/// One filter chain: a server with TLS, or all the plain ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterChain {
    /// Unique within the port and stable: it follows the Gateway and the server's place, not the content.
    pub name: Arc<str>,
    /// SNI names; empty takes every connection that no other chain names.
    pub server_names: Vec<Arc<str>>,
    /// How TLS ends here; none on a plain port.
    pub tls: Option<Arc<Tls>>,
    /// Names what a handshake has to fulfil, by its content; none on a plain port.
    pub policy: Option<Arc<str>>,
    /// What its connections mean.
    pub meaning: Meaning,
    /// Several servers are served by it, whose certificates are asked for by name: `tls` names none.
    pub on_demand: bool,
}

impl FilterChain {
    /// The chain of all servers without TLS.
    #[must_use]
    pub fn plain(meaning: Meaning) -> Self {
        Self {
            name: "plain".into(),
            server_names: Vec::new(),
            tls: None,
            policy: None,
            meaning,
            on_demand: false,
        }
    }

    /// The SNI names as host patterns: `*` where there is none.
    pub fn domains(&self) -> impl Iterator<Item = Arc<str>> {
        let rest = self.server_names.is_empty().then(|| Arc::from("*"));
        self.server_names.iter().cloned().chain(rest)
    }

    /// Whether its clients are asked for a certificate.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.client != ClientCertificate::None)
    }
}

/// What the connections of a chain mean to upstreams and to hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// What upstreams are told of them; none tells nothing.
    pub told: Option<IdentityConfig>,
    /// Its hosts may be asked for on connections of other chains too.
    pub any_connection: bool,
    /// What becomes of escaped slashes in paths; none if its servers say nothing.
    pub escaped_slashes: Option<EscapedSlashes>,
}

impl Meaning {
    /// What the connections of a server mean, given what its Gateway says of identity headers. If it says nothing, those
    /// that may show a certificate tell of it.
    #[must_use]
    pub fn new(identity: Option<&IdentityConfig>, tls: Option<&Tls>) -> Self {
        let asks = tls.is_some_and(|tls| tls.client != ClientCertificate::None);
        let any_connection = identity.is_some_and(|config| config.misdirected == Misdirected::Allow);
        let told = identity.cloned().or_else(|| asks.then(IdentityConfig::default));
        Self {
            told: told.filter(IdentityConfig::tells_something),
            any_connection,
            escaped_slashes: None,
        }
    }

    /// The same, with what is said of escaped slashes.
    #[must_use]
    pub fn with_escaped_slashes(self, escaped_slashes: Option<EscapedSlashes>) -> Self {
        Self {
            escaped_slashes,
            ..self
        }
    }

    /// Servers that share a chain: the first that says something of a matter decides it.
    pub fn also(&mut self, other: Self) {
        self.told = self.told.take().or(other.told);
        self.any_connection |= other.any_connection;
        self.escaped_slashes = self.escaped_slashes.or(other.escaped_slashes);
    }
}

/// How TLS ends at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The key pairs, RSA beside ECDSA.
    pub certificates: Vec<CredentialName>,
    /// Whether clients show a certificate.
    pub client: ClientCertificate,
    /// `minProtocolVersion`, as Envoy numbers it.
    pub min_version: TlsVersion,
    /// `maxProtocolVersion`.
    pub max_version: TlsVersion,
    /// TLS 1.2 suites; empty is Envoy's own choice.
    pub cipher_suites: Vec<String>,
}

impl Tls {
    /// Every credential that it names.
    pub fn credentials(&self) -> impl Iterator<Item = CredentialName> {
        let trust = match &self.client {
            ClientCertificate::Checked { trust, .. } => Some(trust),
            ClientCertificate::None => None,
        };
        self.certificates.iter().chain(trust).cloned()
    }

    /// Names what a handshake has to fulfil, by its content. The gateway's own certificates are no part of it.
    #[must_use]
    pub fn policy(&self) -> Arc<str> {
        let demands = format!(
            "{:?} {:?} {:?} {:?}",
            self.client, self.min_version, self.max_version, self.cipher_suites
        );
        let digest = Sha256::digest(demands);
        let bytes = digest.iter().take(8);
        bytes.map(|byte| format!("{byte:02x}")).collect::<String>().into()
    }
}

/// Whether clients show a certificate, and what it must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Not asked for.
    None,
    /// Checked against the bundle if sent (`OPTIONAL_MUTUAL`) or demanded (`MUTUAL`).
    Checked {
        /// No certificate, no connection.
        required: bool,
        /// The trust bundle.
        trust: CredentialName,
        /// Any of these names must be in the certificate; empty takes all.
        subject_alt_names: Vec<String>,
        /// SPKI pins.
        spki: Vec<String>,
        /// Certificate pins.
        hash: Vec<String>,
    },
}

/// A bound of the protocol versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.0.
    V1_0,
    /// TLS 1.1.
    V1_1,
    /// TLS 1.2.
    V1_2,
    /// TLS 1.3.
    V1_3,
}

/// A destination that some route names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `outbound|PORT|SUBSET|HOST`.
    pub name: Arc<str>,
    /// HTTP/2 without TLS towards the endpoints.
    pub http2: bool,
    /// Where its endpoints come from.
    pub endpoints: Endpoints,
}

/// Where the endpoints of an [`Upstream`] come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Known addresses, pushed as they change.
    Known(Vec<Endpoint>),
    /// Names that Envoy resolves.
    Dns(Vec<Endpoint>),
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// An IP address, or a name in [`Endpoints::Dns`].
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Relative share; 1 unless given.
    pub weight: u32,
}

#[cfg(test)]
mod tests;
