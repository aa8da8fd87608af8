//! The state of a server among the others of its port, and the findings about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claims::Claimant;
use super::gateway::DeclaredServer;
use super::handshake;
use super::http3;
use super::member::Member;
use super::own_gateway::Reserved;
use super::server_finding::of_server;
use super::tls::Served;
use super::world::World;
use crate::annotation;
use crate::few::Few;
use crate::named;
use crate::protocol::PortKind;
use crate::{Code, CredentialName};
use crate::{Finding, Severity};

/// Why a server is not served at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The port is of another kind.
    Port,
    /// The operator reserves the port for others.
    PortNotAllowed,
    /// The port that Envoy would bind is used for something else.
    Reserved(Reserved),
    /// It names no certificate.
    NoCertificate,
    /// Its namespace may not name this Secret.
    NotGranted(CredentialName),
    /// It has none of its hosts.
    Hosts,
}

/// Why a server does not have one of its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Someone else has it.
    Taken(Claimant),
    /// It lies within a wider one of another namespace.
    Within(Arc<str>, Arc<str>),
    /// The operator reserves it for others.
    NotAllowed,
    /// Another namespace has rules for it, on a server that also takes it.
    Routed(Arc<str>),
    /// Another server of the Gateway has it.
    Repeated,
}

/// A host that a server claims, but does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LostHost {
    pub(super) pattern: Arc<str>,
    pub(super) loss: Loss,
}

/// How a server is served.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ServerStanding {
    Refused(Refusal),
    Plain,
    Tcp,
    Passthrough(Member),
    Secure(Served, Member),
}

/// The state of a server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judgement {
    /// The server with the hosts that it has; none if it is not served.
    pub(super) server: Option<Arc<DeclaredServer>>,
    pub(super) standing: ServerStanding,
    /// The hosts that it does not have.
    pub(super) lost: Vec<LostHost>,
}

impl Judgement {
    /// The state of a server that is not served.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self {
            server: None,
            standing: ServerStanding::Refused(refusal),
            lost: Vec::new(),
        }
    }

    pub(super) fn member(&self) -> Option<&Member> {
        match &self.standing {
            ServerStanding::Secure(_, member) | ServerStanding::Passthrough(member) => Some(member),
            ServerStanding::Refused(_) | ServerStanding::Plain | ServerStanding::Tcp => None,
        }
    }

    /// The credentials that it wants, including those that it may not use: that can change.
    pub(super) fn wants(&self, declared: &DeclaredServer) -> Few<CredentialName> {
        match (&self.standing, &declared.tls) {
            (ServerStanding::Secure(served, _), _) => served.names.clone(),
            (ServerStanding::Refused(Refusal::NotGranted(_) | Refusal::Hosts | Refusal::Port), Some(tls)) => {
                tls.credentials().collect()
            }
            _ => Few::default(),
        }
    }
}

/// The findings about a server.
pub(super) fn said(server: &DeclaredServer, standing: &Judgement, world: World<'_>) -> Vec<Finding> {
    let finding = |code, field: &str, message| of_server(server, Severity::Error, code, field, message);
    let places: BTreeMap<&str, usize> = server
        .hosts
        .iter()
        .enumerate()
        .map(|(at, host)| (&*host.pattern, at))
        .rev()
        .collect();
    let mut findings: Vec<_> = standing
        .lost
        .iter()
        .map(|lost| {
            let at = places.get(&*lost.pattern).copied().unwrap_or_default();
            let (code, message) = loss(lost);
            finding(code, &format!("hosts[{at}]"), message)
        })
        .collect();
    match &standing.standing {
        ServerStanding::Refused(refusal) => {
            findings.extend(refused(server, refusal).map(|(code, field, message)| {
                let message = format!("{message}; {}", unserved(server));
                finding(code, field, message)
            }));
        }
        ServerStanding::Plain => findings.extend(untold(server, standing)),
        ServerStanding::Tcp | ServerStanding::Passthrough(_) => {}
        ServerStanding::Secure(served, _) => {
            findings.extend(handshake::findings(server, served, world));
            findings.extend(http3::finding(server, &served.tls, world));
        }
    }
    findings
}

/// The hosts of a server that is not served, the first few by name.
fn unserved(server: &DeclaredServer) -> String {
    format!(
        "the server's hosts are not served: {}",
        named::first_few(&server.patterns())
    )
}

/// The finding about a Gateway's identity annotation on a port that it shares with other namespaces.
fn untold(server: &DeclaredServer, standing: &Judgement) -> Option<Finding> {
    let carried_out = standing.server.as_ref()?;
    (server.identity.is_some() && carried_out.identity.is_none()).then(|| Finding {
        severity: Severity::Warning,
        code: Code::NotCarriedOut,
        object: server.id.gateway.gateway(),
        field: Some(format!("metadata.annotations[{}]", annotation::IDENTITY)),
        message: format!(
            "port {} has no TLS, so all namespaces share its identity headers: only annotations of the operator's \
             Gateways apply",
            server.port
        ),
    })
}

fn loss(lost: &LostHost) -> (Code, String) {
    let host = &lost.pattern;
    match &lost.loss {
        Loss::Taken(Claimant { namespace, name }) => {
            let holder = match name {
                Some(name) => format!("Gateway {namespace}/{name}"),
                None => format!("the namespace {namespace}"),
            };
            (
                Code::HostCollision,
                format!("{host} is served by {holder}, which keeps it"),
            )
        }
        Loss::Within(wider, namespace) => (
            Code::HostReserved,
            format!(
                "{host} is within {wider}, which {namespace} reserves for other namespaces: to allow it, open a \
                 server there to this namespace (NAMESPACE/{wider}), or use --tenancy-policy"
            ),
        ),
        Loss::Routed(namespace) => (
            Code::HostCollision,
            format!(
                "{host} is served by rules of the namespace {namespace}, on a wider server: --tenancy-policy can \
                 assign it to this one"
            ),
        ),
        Loss::NotAllowed => (
            Code::NotAllowed,
            format!("--tenancy-policy reserves {host} for other namespaces"),
        ),
        Loss::Repeated => (
            Code::HostCollision,
            format!("{host} is served by another server of this Gateway"),
        ),
    }
}

fn refused(server: &DeclaredServer, refusal: &Refusal) -> Option<(Code, &'static str, String)> {
    match refusal {
        Refusal::Port => {
            let kind = match server.protocol.port_kind() {
                PortKind::Plain => "for plain HTTP",
                PortKind::Tls => "for TLS",
                PortKind::Tcp => "for TCP",
            };
            let message = format!("servers of another kind have this port, and keep it: this one is {kind}");
            Some((Code::PortCollision, "port", message))
        }
        Refusal::Reserved(reserved) => {
            let message = match reserved {
                Reserved::Mapped(from) => format!("--port-map binds port {from} there"),
                Reserved::Admin(port) => format!("an admin interface has port {port}"),
            };
            Some((Code::PortCollision, "port", message))
        }
        Refusal::PortNotAllowed => {
            let message = format!("--tenancy-policy reserves {} for other namespaces", server.port);
            Some((Code::NotAllowed, "port.number", message))
        }
        Refusal::NotGranted(name) => {
            let namespace = &server.id.gateway.namespace;
            let message = format!(
                "Secret {name} does not allow Gateways of {namespace} to use it: annotate it with {}: {namespace}, \
                 list it in --tenancy-policy, or trust all namespaces with --tenancy single",
                annotation::ALLOWED_NAMESPACES,
            );
            Some((Code::SecretNotGranted, "tls.credentialName", message))
        }
        // The first has a finding about the Gateway itself, which is not in the store; the last has one for each host.
        Refusal::NoCertificate | Refusal::Hosts => None,
    }
}
