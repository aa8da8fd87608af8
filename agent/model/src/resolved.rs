//! The gateway as it will be served: what is left of Gateways, VirtualServices and Services once selectors,
//! hosts, ports and credentials are resolved. The builders beside this file turn it into Envoy's messages.

use std::collections::BTreeSet;

use sealgate_core::identity::IdentityConfig;
use sealgate_core::table::{Action, RouteAction, TableConfig};

use crate::CredentialName;

/// One port that Envoy listens on.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The port's number in the Gateways: names the listener and the filter's configuration.
    pub number: u16,
    /// The port that Envoy binds (`--port-map`).
    pub bind: u16,
    /// One filter chain per server with TLS; a plain port has exactly one.
    pub chains: Vec<Chain>,
    /// The routes of all the port's hosts.
    pub table: TableConfig,
    /// What any Gateway lets identity headers begin with: no client may send such a header to any of them.
    pub prefixes: BTreeSet<String>,
}

impl Port {
    /// What the rules do that lead to an upstream.
    pub fn routes(&self) -> impl Iterator<Item = &RouteAction> {
        let rules = self.table.virtual_hosts.iter().flat_map(|host| &host.rules);
        rules.filter_map(|rule| match &rule.action {
            Action::Route(route) => Some(&**route),
            Action::Redirect(_) | Action::Direct(_) => None,
        })
    }
}

/// One filter chain: the servers of one TLS policy, or all the plain ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Unique within the port and stable: it follows the Gateway and the server's place, not the content.
    pub name: String,
    /// SNI names; empty takes every connection that no other chain names.
    pub server_names: Vec<String>,
    /// How TLS ends here; none on a plain port.
    pub tls: Option<Tls>,
    /// A GRPC server: requests may stream for as long as they like.
    pub streaming: bool,
    /// What its connections mean.
    pub meaning: Meaning,
}

impl Chain {
    /// The SNI names as host patterns: `*` where there is none.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        let rest = self.server_names.is_empty().then_some("*");
        self.server_names.iter().map(String::as_str).chain(rest)
    }
}

/// What the connections of a chain mean to upstreams and to hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// What upstreams are told of them; none tells nothing.
    pub told: Option<IdentityConfig>,
    /// Its hosts may be asked for on connections of other chains too.
    pub any_connection: bool,
}

impl Meaning {
    /// Servers that share a chain: the first that tells something says what.
    pub fn also(&mut self, other: Self) {
        self.told = self.told.take().or(other.told);
        self.any_connection |= other.any_connection;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    pub name: String,
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
