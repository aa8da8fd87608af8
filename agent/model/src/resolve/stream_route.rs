//! Where connections are passed on to, as data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rank::ServerId;
use crate::ObjectRef;
use crate::protocol::ServerProtocol;
use crate::resolved::Share;

/// A server that routes connections as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamServer {
    pub(super) id: ServerId,
    pub(super) protocol: ServerProtocol,
}

/// Where the connections of a host go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamRoute {
    /// The server, by its chain's name.
    pub(super) server: Arc<str>,
    /// The VirtualService that says so; none if no budget had room for it.
    pub(super) service: Option<ObjectRef>,
    /// If empty, connections are closed.
    pub(super) shares: Vec<Share>,
}

impl StreamRoute {
    /// The name of the chain of a host with its own route.
    pub(super) fn chain(&self, domain: &str) -> Arc<str> {
        format!("{}/{domain}", self.server).into()
    }

    /// What the listener must know about it.
    pub(super) fn shape(&self) -> (&str, bool) {
        (&self.server, self.shares.is_empty())
    }
}

/// The routes of a port, by server and host.
#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<StreamRoute>>>);

impl Streams {
    pub(super) fn insert(&mut self, domain: &Arc<str>, route: &Arc<StreamRoute>) {
        let own = self.0.entry(Arc::clone(&route.server)).or_default();
        own.insert(Arc::clone(domain), Arc::clone(route));
    }

    pub(super) fn remove(&mut self, domain: &Arc<str>, route: &StreamRoute) {
        if let Some(own) = self.0.get_mut(&route.server) {
            own.remove(domain);
            if own.is_empty() {
                self.0.remove(&route.server);
            }
        }
    }

    /// The routes of a server, by its chain's name.
    pub(super) fn of(&self, server: &str) -> Option<&BTreeMap<Arc<str>, Arc<StreamRoute>>> {
        self.0.get(server)
    }

    /// The route of a chain.
    pub(super) fn of_chain(&self, chain: &str) -> Option<&Arc<StreamRoute>> {
        let (server, domain) = chain.rsplit_once('/')?;
        self.0.get(server)?.get(domain)
    }

    /// All routes, each with its chain.
    pub(super) fn all(&self) -> impl Iterator<Item = (Arc<str>, &Arc<StreamRoute>)> {
        let all = self.0.values().flatten();
        all.map(|(domain, route)| (route.chain(domain), route))
    }

    /// The VirtualServices that say where connections go.
    pub(super) fn services(&self) -> impl Iterator<Item = ObjectRef> {
        let routes = self.0.values().flat_map(BTreeMap::values);
        let services: BTreeSet<&ObjectRef> = routes.filter_map(|route| route.service.as_ref()).collect();
        services.into_iter().cloned()
    }
}
