//! The filter chain of a server, and what its hosts require of connections.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gateway::DeclaredServer;
use super::rank::ServerId;
use super::stream_route::StreamRoute;
use crate::protocol::ServerProtocol;
use crate::resolved::{FilterChain, Meaning, Tls, Traffic};

/// The requirement of hosts whose connections are passed on as a whole: no connection satisfies it, so that a request
/// for them on another server's connection gets 421, and the client retries on a new connection.
const NO_REQUESTS: &str = "no-requests";

/// What the server of a host requires of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPolicy {
    /// The server, by its chain's name.
    pub server: Arc<str>,
    /// Its TLS policy; none if any connection will do.
    pub policy: Option<Arc<str>>,
}

/// The name of a server's chain.
pub(super) fn name(ServerId { gateway, at }: &ServerId) -> Arc<str> {
    format!("{}/{}/{at}", gateway.namespace, gateway.name).into()
}

impl FilterChain {
    /// The chain of a server that terminates TLS, with these settings.
    #[must_use]
    pub fn secure(server: &DeclaredServer, tls: &Arc<Tls>) -> Self {
        if server.protocol == ServerProtocol::SecureTcp {
            return Self {
                tls: Some(Arc::clone(tls)),
                policy: Some(NO_REQUESTS.into()),
                ..Self::closed(server)
            };
        }
        Self {
            name: name(&server.id),
            server_names: server.server_names(),
            policy: Some(tls.policy()),
            meaning: Meaning::new(server.identity.as_ref(), Some(tls))
                .with_escaped_slashes(server.escaped_slashes),
            tls: Some(Arc::clone(tls)),
            on_demand: false,
            http3: false,
            traffic: Traffic::Http,
        }
    }

    /// The chain of a server that passes TLS through.
    #[must_use]
    pub fn passthrough(server: &DeclaredServer) -> Self {
        Self {
            policy: Some(NO_REQUESTS.into()),
            ..Self::closed(server)
        }
    }

    /// The chain of a server that routes connections as a whole, and has no route.
    #[must_use]
    pub fn closed(server: &DeclaredServer) -> Self {
        Self {
            name: name(&server.id),
            server_names: server.server_names(),
            policy: None,
            meaning: Meaning::default(),
            tls: None,
            on_demand: false,
            http3: false,
            traffic: Traffic::Closed,
        }
    }

    /// Splits a server's chain: one for each host with its own route, and one that closes all other connections.
    pub(super) fn split(
        self: &Arc<Self>,
        routes: Option<&BTreeMap<Arc<str>, Arc<StreamRoute>>>,
    ) -> Vec<Arc<Self>> {
        let Some(routes) = routes.filter(|_| !self.is_http()) else {
            return vec![Arc::clone(self)];
        };
        let names = |domain: &Arc<str>| (**domain != *"*").then(|| Arc::clone(domain));
        let routed = routes.iter().map(|(domain, route)| Self {
            name: route.chain(domain),
            server_names: names(domain).into_iter().collect(),
            traffic: if route.shares.is_empty() {
                Traffic::Closed
            } else {
                Traffic::Stream
            },
            ..Self::clone(self)
        });
        let rest: Vec<_> = self
            .domains()
            .filter(|domain| !routes.contains_key(domain))
            .collect();
        let closed = (!rest.is_empty()).then(|| Self {
            server_names: rest.iter().filter_map(names).collect(),
            ..Self::clone(self)
        });
        routed.chain(closed).map(Arc::new).collect()
    }

    /// What a connection must fulfil for requests to its hosts; none on a port without TLS.
    #[must_use]
    pub fn demand(&self) -> Option<ConnectionPolicy> {
        let policy = self.policy.as_ref()?;
        Some(ConnectionPolicy {
            server: Arc::clone(&self.name),
            policy: (!self.meaning.any_connection).then(|| Arc::clone(policy)),
        })
    }
}
