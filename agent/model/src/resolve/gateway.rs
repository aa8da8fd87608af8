//! A Gateway's servers as they are declared, with the annotations that apply to all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_core::arrival::EscapedSlashes;
use sealgate_core::config::{GatewaySpec, Server};
use sealgate_core::host;
use sealgate_core::identity::IdentityConfig;

use super::rank::{Rank, ServerId};
use super::tls::{NamedIn, tls};
use crate::Meta;
use crate::annotation::{self, Certificates};
use crate::few::Few;
use crate::patterns::PatternMap;
use crate::protocol::ServerProtocol;
use crate::resolved::Tls;
use crate::validate::split_host;

/// The namespaces whose VirtualServices may use a host (none for all), and what its server does.
type Openings = Few<(Option<Arc<str>>, ServerProtocol)>;

/// With more hosts than this, they are looked up by pattern.
const FEW_HOSTS: usize = 16;

/// A Gateway that this gateway serves.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredGateway {
    /// Which one.
    pub rank: Rank,
    /// By their places; without those that are rejected or have no usable port.
    pub servers: BTreeMap<usize, Arc<DeclaredServer>>,
    /// `443 HTTPS *.example.com`, one per server, to be shown.
    pub described: Vec<String>,
    /// The prefix of its identity headers, if it sets one.
    pub prefix: Option<String>,
    /// If it has many hosts: their patterns, each with the namespaces whose VirtualServices may use it.
    many: Option<Box<PatternMap<Openings>>>,
    /// The ports that it names, valid or not.
    ports: BTreeSet<u32>,
}

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredServer {
    /// Which one.
    pub id: ServerId,
    /// The port's number.
    pub port: u16,
    /// What it does with connections.
    pub protocol: ServerProtocol,
    /// As written, each with the namespace whose VirtualServices may use it.
    pub hosts: Vec<ServerHost>,
    /// Plain HTTP is answered with a redirect.
    pub https_redirect: bool,
    /// How a secure server terminates TLS; none if it names no certificate.
    pub tls: Option<Arc<Tls>>,
    /// The fields in which it names credentials.
    pub named: NamedIn,
    /// The Gateway's settings for identity headers; none if it has none.
    pub identity: Option<IdentityConfig>,
    /// The Gateway's setting for how certificates get to the proxy.
    pub certificates: Certificates,
    /// The Gateway's setting for escaped slashes in paths; none if it has none.
    pub escaped_slashes: Option<EscapedSlashes>,
    /// Whether the Gateway asks for HTTP/3.
    pub http3: bool,
}

/// A host of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerHost {
    /// The namespace whose VirtualServices may use it; none for all namespaces.
    pub namespace: Option<Arc<str>>,
    /// `name`, `*.suffix` or `*`, lower-case.
    pub pattern: Arc<str>,
}

impl DeclaredGateway {
    /// Reads a Gateway. Its Secrets are looked up in the namespace `secrets`.
    #[must_use]
    pub fn new(meta: &Meta, spec: &GatewaySpec, secrets: &str) -> Self {
        let rank = Rank::of(meta);
        // An invalid one never gets into the store.
        let identity = annotation::identity(meta).and_then(Result::ok);
        let certificates = annotation::certificates(meta)
            .and_then(Result::ok)
            .unwrap_or_default();
        let escaped_slashes = annotation::escaped_slashes(meta).and_then(Result::ok);
        let http3 = annotation::http3(meta).and_then(Result::ok).unwrap_or_default();
        let servers = spec.servers.iter().enumerate().filter_map(|(at, server)| {
            let id = ServerId {
                gateway: rank.clone(),
                at,
            };
            let declared = DeclaredServer {
                identity: identity.clone(),
                certificates,
                escaped_slashes,
                http3,
                ..DeclaredServer::new(id, server, meta, secrets)?
            };
            Some((at, Arc::new(declared)))
        });
        let servers: BTreeMap<usize, Arc<DeclaredServer>> = servers.collect();
        let hosts: Vec<_> = all_hosts(&servers).collect();
        let many = (hosts.len() > FEW_HOSTS).then(|| {
            let mut many = PatternMap::<Openings>::default();
            for (host, protocol) in hosts {
                many.entry(&host.pattern)
                    .insert((host.namespace.clone(), protocol));
            }
            Box::new(many)
        });
        Self {
            servers,
            many,
            ports: spec.servers.iter().map(|server| server.port.number).collect(),
            described: spec
                .servers
                .iter()
                .filter(|server| !server.hosts.is_empty())
                .map(describe)
                .collect(),
            prefix: identity
                .as_ref()
                .and_then(IdentityConfig::own_prefix)
                .map(str::to_owned),
            rank,
        }
    }
}

impl DeclaredGateway {
    /// Whether some server of these protocols takes hosts of this pattern from VirtualServices of a namespace.
    #[must_use]
    pub fn takes(&self, pattern: &str, namespace: &str, protocols: impl Fn(ServerProtocol) -> bool) -> bool {
        let is_open = |own: &Option<Arc<str>>| own.as_deref().is_none_or(|own| own == namespace);
        let Some(many) = &self.many else {
            let mut hosts = all_hosts(&self.servers).filter(|(_, protocol)| protocols(*protocol));
            return hosts.any(|(host, _)| {
                is_open(&host.namespace) && host::intersection(&host.pattern, pattern).is_some()
            });
        };
        let within = many.within(pattern).map(|(_, namespaces)| namespaces);
        let all = many
            .get(pattern)
            .into_iter()
            .chain(many.containing(pattern))
            .chain(within);
        all.flatten()
            .any(|(namespace, protocol)| is_open(namespace) && protocols(*protocol))
    }

    /// The hosts of all its servers, each with what its server does.
    #[must_use]
    pub fn all_hosts(&self) -> BTreeSet<(&ServerHost, ServerProtocol)> {
        all_hosts(&self.servers).collect()
    }

    /// The ports that its servers name.
    #[must_use]
    pub fn ports(&self) -> &BTreeSet<u32> {
        &self.ports
    }
}

fn all_hosts(
    servers: &BTreeMap<usize, Arc<DeclaredServer>>,
) -> impl Iterator<Item = (&ServerHost, ServerProtocol)> {
    let all = servers.values();
    all.flat_map(|server| server.hosts.iter().map(|host| (host, server.protocol)))
}

impl DeclaredServer {
    fn new(id: ServerId, server: &Server, meta: &Meta, secrets: &str) -> Option<Self> {
        let protocol = ServerProtocol::of(server)?;
        let host = |text: &String| {
            let (namespace, pattern) = split_host(text);
            let namespace = namespace.map(|own| if own == "." { &*meta.namespace } else { own });
            ServerHost {
                namespace: namespace.map(Arc::from),
                pattern: pattern.into(),
            }
        };
        // A rejected one has only its place left.
        if server.hosts.is_empty() {
            return None;
        }
        Some(Self {
            id,
            port: u16::try_from(server.port.number).ok()?,
            protocol,
            hosts: server.hosts.iter().map(host).collect(),
            https_redirect: protocol == ServerProtocol::Plain
                && server.tls.as_ref().is_some_and(|tls| tls.https_redirect),
            tls: server
                .tls
                .as_ref()
                .filter(|_| protocol.ends_tls())
                .and_then(|own| tls(own, secrets))
                .map(Arc::new),
            named: server.tls.as_deref().map(NamedIn::of).unwrap_or_default(),
            identity: None,
            certificates: Certificates::default(),
            escaped_slashes: None,
            http3: false,
        })
    }

    /// Its patterns, sorted, without duplicates. A TCP server does not know the host of a connection, so it has all
    /// hosts.
    #[must_use]
    pub fn patterns(&self) -> Vec<Arc<str>> {
        if self.protocol == ServerProtocol::Tcp {
            return vec!["*".into()];
        }
        let mut patterns: Vec<_> = self.hosts.iter().map(|host| Arc::clone(&host.pattern)).collect();
        patterns.sort();
        patterns.dedup();
        patterns
    }

    /// The server names of its filter chain. `*` takes everything that no other chain names, so the rest is not needed.
    #[must_use]
    pub fn server_names(&self) -> Vec<Arc<str>> {
        let patterns = self.patterns();
        if patterns.iter().any(|pattern| **pattern == *"*") {
            Vec::new()
        } else {
            patterns
        }
    }

    /// Whether its filter chain takes connections for exactly this pattern.
    #[must_use]
    pub fn holds(&self, pattern: &str) -> bool {
        let names = self.server_names();
        if names.is_empty() {
            pattern == "*"
        } else {
            names.iter().any(|name| **name == *pattern)
        }
    }

    /// Whether only one server can have a host: without TLS, the rules of several servers are merged.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.protocol != ServerProtocol::Plain
    }

    /// Whether VirtualServices of a namespace may use hosts of this pattern.
    #[must_use]
    pub fn is_open(&self, pattern: &str, namespace: &str) -> bool {
        let mut hosts = self.hosts.iter().filter(|host| *host.pattern == *pattern);
        hosts.any(|host| host.namespace.as_deref().is_none_or(|own| own == namespace))
    }
}

fn describe(server: &Server) -> String {
    format!(
        "{} {} {}",
        server.port.number,
        server.port.protocol,
        server.hosts.join(" ")
    )
}
