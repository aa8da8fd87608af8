//! The filter chain of a server with TLS, and what its hosts ask of connections.

use std::sync::Arc;

use super::gateway::DeclaredServer;
use super::rank::ServerId;
use crate::resolved::{FilterChain, Meaning, Tls};

/// What the server of a host asks of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPolicy {
    /// The server, by its chain's name.
    pub server: Arc<str>,
    /// Its TLS policy; none if any connection will do.
    pub policy: Option<Arc<str>>,
}

impl FilterChain {
    /// The chain of a server with TLS, served with this.
    #[must_use]
    pub fn secure(server: &DeclaredServer, tls: &Arc<Tls>) -> Self {
        let ServerId { gateway, at } = &server.id;
        Self {
            name: format!("{}/{}/{at}", gateway.namespace, gateway.name).into(),
            server_names: server.server_names(),
            policy: Some(tls.policy()),
            meaning: Meaning::new(server.identity.as_ref(), Some(tls))
                .with_escaped_slashes(server.escaped_slashes),
            tls: Some(Arc::clone(tls)),
            on_demand: false,
        }
    }

    /// What a connection must be to ask for its hosts; none on a plain port.
    #[must_use]
    pub fn demand(&self) -> Option<ConnectionPolicy> {
        let policy = self.policy.as_ref()?;
        Some(ConnectionPolicy {
            server: Arc::clone(&self.name),
            policy: (!self.meaning.any_connection).then(|| Arc::clone(policy)),
        })
    }
}
