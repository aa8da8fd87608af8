//! What becomes of a server among the others of its port, and what is said of it.

use std::sync::Arc;

use super::gateway::DeclaredServer;
use super::member::Member;
use super::own_gateway::Reserved;
use super::tls::Served;
use crate::Code;
use crate::{Finding, Severity};

/// Why a server is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The port is of the other kind.
    Port,
    /// What Envoy would bind for the port is bound for something else.
    Reserved(Reserved),
    /// An older server has this host.
    Host(Arc<str>),
    /// It names no certificate.
    NoCertificate,
}

/// What became of a server.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ServerStanding {
    Refused(Refusal),
    Plain,
    Secure(Served, Member),
}

impl ServerStanding {
    pub(super) fn member(&self) -> Option<&Member> {
        match self {
            Self::Secure(_, member) => Some(member),
            Self::Refused(_) | Self::Plain => None,
        }
    }

    pub(super) fn is_carried_out(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// What is to be said of a server.
pub(super) fn said(server: &DeclaredServer, standing: &ServerStanding) -> Vec<Finding> {
    let finding = |code, field: &str, message: String| Finding {
        severity: Severity::Error,
        code,
        object: server.id.gateway.gateway(),
        field: Some(format!("spec.servers[{}].{field}", server.id.at)),
        message,
    };
    match standing {
        ServerStanding::Refused(Refusal::Port) => {
            let kind = if server.secure { "plain" } else { "for TLS" };
            let message = format!("another server has this port, which is {kind}, and stays");
            vec![finding(Code::PortCollision, "port", message)]
        }
        ServerStanding::Refused(Refusal::Reserved(reserved)) => {
            let message = match reserved {
                Reserved::Mapped(from) => format!("--port-map binds port {from} there"),
                Reserved::Admin(port) => format!("an admin interface has port {port}"),
            };
            vec![finding(Code::PortCollision, "port", message)]
        }
        ServerStanding::Refused(Refusal::Host(host)) => {
            let message = format!("{host} is another server's on this port: an older Gateway has it");
            vec![finding(Code::HostCollision, "hosts", message)]
        }
        // Said of the Gateway by itself, which never became part of the store.
        ServerStanding::Refused(Refusal::NoCertificate) | ServerStanding::Plain => Vec::new(),
        ServerStanding::Secure(served, _) => {
            let effect = if served.held {
                "the former one is served on"
            } else {
                "a proxy that has none refuses connections"
            };
            let missing = served.missing.iter();
            missing
                .map(|missing| {
                    let message = format!("there is no good Secret {missing} yet: {effect}");
                    finding(Code::CredentialNotReady, "tls.credentialName", message)
                })
                .collect()
        }
    }
}
