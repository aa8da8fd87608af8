//! Claims to the hosts of a port. The first to claim a host keeps it as long as it wants it, even if older objects
//! claim it later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::gateway::DeclaredServer;
use super::rank::ServerId;
use crate::few::Few;
use crate::patterns::PatternMap;
use crate::protocol::PortKind;

/// What can be claimed; the first to claim it keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// The kind of a port.
    Port(u16),
    /// A host of a port.
    Host(u16, Arc<str>),
    /// Which namespace's rules come first on a host of a port.
    Routes(u16, Arc<str>),
    /// Which object defines a service's host.
    Service(Arc<str>),
}

impl Claim {
    /// The name of this kind of claim.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Port(_) => "port",
            Self::Host(..) => "server",
            Self::Routes(..) => "routes",
            Self::Service(_) => "service",
        }
    }

    /// The claim with this name, port and host; none if there is no such claim.
    #[must_use]
    pub fn of(word: &str, port: Option<u16>, host: Option<Arc<str>>) -> Option<Self> {
        match (word, port, host) {
            ("port", Some(port), None) => Some(Self::Port(port)),
            ("server", Some(port), Some(host)) => Some(Self::Host(port, host)),
            ("routes", Some(port), Some(host)) => Some(Self::Routes(port, host)),
            ("service", None, Some(host)) => Some(Self::Service(host)),
            _ => None,
        }
    }

    /// The port that it belongs to, if any.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Port(port) | Self::Host(port, _) | Self::Routes(port, _) => Some(*port),
            Self::Service(_) => None,
        }
    }

    /// The host that it is about, if any.
    #[must_use]
    pub fn host(&self) -> Option<&Arc<str>> {
        match self {
            Self::Host(_, host) | Self::Routes(_, host) | Self::Service(host) => Some(host),
            Self::Port(_) => None,
        }
    }
}

/// The state of a claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tenure {
    /// The port is without TLS.
    Plain,
    /// The port is for TLS.
    Tls,
    /// The port is for TCP.
    Tcp,
    /// It has an owner.
    Of(Claimant),
}

impl Tenure {
    pub(super) fn of_port(kind: PortKind) -> Self {
        match kind {
            PortKind::Plain => Self::Plain,
            PortKind::Tls => Self::Tls,
            PortKind::Tcp => Self::Tcp,
        }
    }

    /// The kind of the port, if this is the claim for one.
    pub(super) fn port_kind(&self) -> Option<PortKind> {
        match self {
            Self::Plain => Some(PortKind::Plain),
            Self::Tls => Some(PortKind::Tls),
            Self::Tcp => Some(PortKind::Tcp),
            Self::Of(_) => None,
        }
    }
}

/// All claims.
pub type Claims = BTreeMap<Claim, Tenure>;

/// The holder of a claim: an object, or a whole namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claimant {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The object's name; none for a whole namespace.
    pub name: Option<Arc<str>>,
}

impl Claimant {
    /// The owner of a server's hosts: the Gateway, or for servers without TLS the namespace, whose servers share them.
    pub(super) fn of(server: &DeclaredServer) -> Self {
        let gateway = &server.id.gateway;
        Self {
            namespace: Arc::clone(&gateway.namespace),
            name: server.is_exclusive().then(|| Arc::clone(&gateway.name)),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HostClaims {
    /// The servers that ask for a pattern.
    wanted: PatternMap<Few<ServerId>>,
    /// Claims that were not granted.
    waiting: PatternMap<Few<ServerId>>,
    held: PatternMap<Option<Claimant>>,
    /// Patterns whose owner has changed.
    moved: BTreeSet<Arc<str>>,
}

impl HostClaims {
    pub(super) fn insert(&mut self, server: &DeclaredServer) {
        for pattern in server.patterns() {
            self.wanted.entry(&pattern).insert(server.id.clone());
        }
    }

    pub(super) fn remove(&mut self, server: &DeclaredServer) {
        for pattern in server.patterns() {
            let take_out = |ids: &mut Few<ServerId>| {
                ids.remove(&server.id);
            };
            self.wanted.update(&pattern, take_out);
            self.waiting.update(&pattern, take_out);
        }
    }

    /// The servers that ask for a pattern, in order of age.
    pub(super) fn wanting(&self, pattern: &str) -> impl Iterator<Item = &ServerId> {
        self.wanted.get(pattern).into_iter().flatten()
    }

    /// The servers that wait for a pattern, or for one within it.
    pub(super) fn waiting(&self, pattern: &str) -> impl Iterator<Item = &ServerId> {
        let within = self.waiting.within(pattern).flat_map(|(_, ids)| ids);
        self.waiting.get(pattern).into_iter().flatten().chain(within)
    }

    /// Whether a server waits for a pattern.
    pub(super) fn set_waiting(&mut self, pattern: &str, id: &ServerId, waits: bool) {
        self.waiting.update(pattern, |ids| {
            if waits {
                ids.insert(id.clone());
            } else {
                ids.remove(id);
            }
        });
    }

    /// The holder of a pattern.
    pub(super) fn holder(&self, pattern: &str) -> Option<&Claimant> {
        self.held.get(pattern)?.as_ref()
    }

    /// The wider patterns that have a holder, the narrowest first.
    pub(super) fn wider<'s>(&'s self, pattern: &'s str) -> impl Iterator<Item = (String, &'s Claimant)> {
        self.held
            .wider(pattern)
            .filter_map(|(wider, holder)| Some((wider, holder.as_ref()?)))
    }

    /// Sets or removes the owner of a pattern.
    pub(super) fn give(&mut self, pattern: &Arc<str>, to: Option<Claimant>) {
        self.held.update(pattern, |holder| *holder = to);
        self.moved.insert(Arc::clone(pattern));
    }

    /// Patterns whose owner has changed since the last call.
    pub(super) fn take_moved(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.moved)
    }

    /// All patterns that have a holder.
    pub(super) fn all(&self) -> impl Iterator<Item = (String, &Claimant)> {
        self.held
            .iter()
            .filter_map(|(pattern, holder)| Some((pattern, holder.as_ref()?)))
    }
}
