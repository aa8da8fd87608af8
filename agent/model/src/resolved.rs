//! The gateway as it will be served: what is left of Gateways, VirtualServices and Services once selectors,
//! hosts, ports and credentials are resolved. The builders beside this file turn it into Envoy's messages.

mod hashing;
mod placement;
mod policy;

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::arrival::EscapedSlashes;
use sealgate_core::host;
use sealgate_core::identity::{IdentityConfig, IdentityPolicy, Misdirected};
use sealgate_core::rules::Mirror;
use sha2::{Digest as _, Sha256};

pub use self::hashing::{HashBalancing, HashTable, HashedCookie, HashedValue};
pub use self::placement::{LocalityShares, NearLabel, Nearness, NextRegion, Placement};
pub use self::policy::{
    Balancing, Ejection, PoolLimits, Probes, ProxyProtocolVersion, RetryShare, SlowStart, UpstreamHttp,
    UpstreamPolicy, UpstreamTls, UpstreamTrust,
};
use crate::CredentialName;
use crate::locality::Locality;

/// One port that Envoy listens on.
#[derive(Clone, Debug, PartialEq)]
pub struct ServedPort {
    /// The port's number in the Gateways: names the listener and the filter's configuration.
    pub number: u16,
    /// The port that Envoy binds (`--port-map`).
    pub bind: u16,
    /// One filter chain per server with TLS, or for many of them; where connections are routed as a whole, one per host. A
    /// port without TLS has exactly one.
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

impl ServedPort {
    /// The chain that a connection for this host comes in by.
    #[must_use]
    pub fn chain_of(&self, name: &str) -> Option<&FilterChain> {
        let domains = self
            .chains
            .iter()
            .flat_map(|chain| chain.domains().map(move |domain| (domain, chain)));
        let taking = domains.filter(|(domain, _)| **domain == *"*" || host::matches(domain, name));
        let (_, chain) = taking.max_by_key(|(domain, _)| host::precedence(domain))?;
        Some(chain)
    }
}

/// One filter chain: a server with TLS, or all the plain ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterChain {
    /// Unique within the port and stable: it follows the Gateway and the server's place, not the content.
    pub name: Arc<str>,
    /// SNI names; empty takes every connection that no other chain names.
    pub server_names: Vec<Arc<str>>,
    /// How TLS ends here; none if it does not.
    pub tls: Option<Arc<Tls>>,
    /// Names what a handshake has to fulfil, by its content; none on a port without TLS.
    pub policy: Option<Arc<str>>,
    /// What its connections mean.
    pub meaning: Meaning,
    /// Several servers are served by it, whose certificates are asked for by name: `tls` names none.
    pub on_demand: bool,
    /// Its hosts are served by HTTP/3 too, on the UDP port of the same number.
    pub http3: bool,
    /// What becomes of its connections.
    pub traffic: Traffic,
}

/// What becomes of a chain's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Their requests are routed one by one.
    Http,
    /// Each is passed on as a whole. Where to is no part of the chain, so that a change of that leaves its connections alone.
    Stream,
    /// They are closed.
    Closed,
}

/// A destination and its share of the connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// `outbound|PORT|SUBSET|HOST`.
    pub cluster: Arc<str>,
    /// Relative to the others; more than 0.
    pub weight: u32,
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
            http3: false,
            traffic: Traffic::Http,
        }
    }

    /// Whether its requests are routed one by one.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.traffic == Traffic::Http
    }

    /// The SNI names as host patterns: `*` where there is none.
    pub fn domains(&self) -> impl Iterator<Item = Arc<str>> {
        let rest = self.server_names.is_empty().then(|| Arc::from("*"));
        self.server_names.iter().cloned().chain(rest)
    }

    /// What it tells, if its connections can show a certificate at all.
    #[must_use]
    pub fn told(&self) -> Option<&IdentityConfig> {
        self.meaning.told.as_ref().filter(|_| self.asks())
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
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// `outbound|PORT|SUBSET|HOST`.
    pub name: Arc<str>,
    /// HTTP/2 towards the endpoints, as the port's protocol says.
    pub http2: bool,
    /// What a DestinationRule says of it; few upstreams have one.
    pub policy: Option<Box<UpstreamPolicy>>,
    /// Where its endpoints come from.
    pub endpoints: Endpoints,
}

/// The endpoints of an [`Upstream`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// How Envoy gets their addresses.
    pub source: EndpointSource,
    /// Whether the weights of groups count; else endpoints of a priority are all alike.
    pub by_weight: bool,
    /// By priority and locality, in this order.
    pub groups: Vec<EndpointGroup>,
}

/// How Envoy gets the addresses of endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointSource {
    /// They are known, and pushed as they change.
    #[default]
    Pushed,
    /// They are names that Envoy resolves: to all of their addresses.
    Dns,
    /// It is one name, of whose addresses each new connection takes one.
    RoundRobinDns,
}

/// Endpoints of one locality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointGroup {
    /// Where they are.
    pub locality: Locality,
    /// 0 is first; each priority up to the last has a group.
    pub priority: u32,
    /// Its share among the groups of its priority; more than 0, and the sum of all of a priority fits into 32 bits.
    pub weight: u32,
    /// At least one, in order.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// An IP address, or a name with [`EndpointSource::Dns`].
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Whether it gets requests.
    pub health: EndpointHealth,
    /// Relative share; 1 unless given.
    pub weight: u32,
}

/// Whether an endpoint gets requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndpointHealth {
    /// It does.
    #[default]
    Ready,
    /// It does not, and what it cannot do is missing in its group.
    NotReady,
}

#[cfg(test)]
mod tests;
