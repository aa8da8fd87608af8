//! The ports that Gateways ask for: the servers of each, what its rules need of Envoy, and how Envoy gets it.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;

use imbl::OrdMap;

use super::block::Native;
use super::claims::{Claim, Claims, Tenure};
use super::gateway::DeclaredServer;
use super::gateways::Gateways;
use super::own_gateway::Gateway;
use super::port::{Look, Servers, Settled, Terms};
use super::rank::ServerId;
use super::sharing::MovedName;
use super::stream_route::{StreamRoute, Streams};
use super::table::{HostKey, Table};
use super::view::{self, NativeCount};
use crate::resolved::ServedPort;
use crate::{CredentialName, ObjectRef};

/// A name that a proxy asks for: the filter chain that asks (`PORT/CHAIN`), and the pattern of the server that has the
/// name.
pub type NameKey = (Arc<str>, Arc<str>);

/// A filter chain whose connections are passed on as a whole, by its port and name.
pub type StreamKey = (u16, Arc<str>);

/// The name of a filter chain that is unique across all ports.
#[must_use]
pub fn chain_id(port: u16, chain: &str) -> String {
    format!("{port}/{chain}")
}

/// One port.
#[derive(Debug, Default)]
struct PortState {
    servers: Servers,
    native: NativeCount,
    streams: Streams,
    view: Option<Arc<ServedPort>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ports {
    states: BTreeMap<u16, PortState>,
    /// Names that are served on demand, each with its certificate.
    names: OrdMap<NameKey, CredentialName>,
    /// Ports whose servers must be checked.
    touched: BTreeSet<u16>,
    /// Ports whose view may have changed, each with the servers that were checked.
    stale: BTreeMap<u16, BTreeMap<ServerId, Look>>,
    /// Filter chains whose connections have changed since [`Self::take_moved_streams`] was last called.
    moved_streams: BTreeSet<StreamKey>,
}

impl Ports {
    pub(super) fn insert(&mut self, server: &Arc<DeclaredServer>) {
        self.states.entry(server.port).or_default().servers.insert(server);
        self.touched.insert(server.port);
    }

    pub(super) fn remove(&mut self, server: &Arc<DeclaredServer>) {
        self.states.entry(server.port).or_default().servers.remove(server);
        self.touched.insert(server.port);
    }

    /// Marks a server to be checked again.
    pub(super) fn touch(&mut self, port: u16, id: &ServerId) {
        if let Some(state) = self.states.get_mut(&port) {
            state.servers.touch_id(id);
            self.touched.insert(port);
        }
    }

    /// Marks all servers to be checked again, because something that affects all ports has changed.
    pub(super) fn touch_all(&mut self) {
        self.touched.extend(self.states.keys());
    }

    /// Marks the servers that wait for a host to be checked again.
    pub(super) fn touch_waiting(&mut self, port: u16, pattern: &Arc<str>) {
        let state = self.states.get_mut(&port);
        if state.is_some_and(|state| state.servers.touch_waiting(pattern)) {
            self.touched.insert(port);
        }
    }

    pub(super) fn servers(&self, port: u16) -> Option<&Servers> {
        Some(&self.states.get(&port)?.servers)
    }

    /// Replaces what a host of a port needs from Envoy.
    pub(super) fn change_native(&mut self, port: u16, [before, now]: [Option<&Native>; 2]) {
        let Some(state) = self.states.get_mut(&port) else {
            return;
        };
        let came = now.is_some_and(|now| state.native.add(now));
        let went = before.is_some_and(|before| state.native.remove(before));
        if came || went {
            self.stale.entry(port).or_default();
        }
    }

    /// Replaces where the connections of a host go.
    pub(super) fn change_stream(
        &mut self,
        (port, domain): &HostKey,
        [before, now]: [Option<&Arc<StreamRoute>>; 2],
    ) {
        if before == now {
            return;
        }
        if let Some(state) = self.states.get_mut(port) {
            before
                .into_iter()
                .for_each(|before| state.streams.remove(domain, before));
            now.into_iter().for_each(|now| state.streams.insert(domain, now));
            if before.map(|own| own.shape()) != now.map(|own| own.shape()) {
                self.stale.entry(*port).or_default();
            }
        }
        let chains = before.into_iter().chain(now);
        self.moved_streams
            .extend(chains.map(|own| (*port, own.chain(domain))));
    }

    /// Filter chains whose connections have changed since the last call.
    pub(super) fn take_moved_streams(&mut self) -> BTreeSet<StreamKey> {
        std::mem::take(&mut self.moved_streams)
    }

    /// Where the connections of a filter chain go.
    pub(super) fn stream(&self, (port, chain): &StreamKey) -> Option<&Arc<StreamRoute>> {
        self.states.get(port)?.streams.of_chain(chain)
    }

    /// Where the connections of all filter chains go.
    pub(super) fn streams(&self) -> impl Iterator<Item = (StreamKey, &Arc<StreamRoute>)> {
        let states = self.states.iter();
        states.flat_map(|(port, state)| state.streams.all().map(|(chain, route)| ((*port, chain), route)))
    }

    /// The VirtualServices that say where connections of a port go.
    pub(super) fn stream_services(&self, port: u16) -> impl Iterator<Item = ObjectRef> {
        let streams = self.states.get(&port).into_iter();
        streams.flat_map(|state| state.streams.services())
    }

    /// Whether any servers must be checked.
    pub(super) fn are_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    pub(super) fn take_touched(&mut self) -> BTreeSet<u16> {
        std::mem::take(&mut self.touched)
    }

    /// Checks the servers of a port that may now be served, or no longer be.
    pub(super) fn settle_servers(&mut self, port: u16, terms: Terms<'_>) -> Settled {
        let Some(state) = self.states.get_mut(&port) else {
            return Settled::default();
        };
        state.servers.settle(terms)
    }

    /// Restores claims, as far as something still asks for what is claimed.
    pub(super) fn remember(&mut self, claims: &Claims) {
        for (claim, tenure) in claims {
            let (Claim::Port(port) | Claim::Host(port, _)) = claim else {
                continue;
            };
            self.touched.insert(*port);
            let servers = &mut self.states.entry(*port).or_default().servers;
            match (claim, tenure) {
                (Claim::Host(_, pattern), Tenure::Of(holder)) => servers.remember_host(pattern, holder),
                _ => {
                    if let Some(kind) = tenure.port_kind() {
                        servers.remember_kind(kind);
                    }
                }
            }
        }
    }

    /// All claims.
    pub(super) fn claims(&self) -> Claims {
        let mut claims = Claims::new();
        for (port, state) in &self.states {
            claims.extend(
                state
                    .servers
                    .kind()
                    .map(|kind| (Claim::Port(*port), Tenure::of_port(kind))),
            );
            let hosts = state.servers.claims();
            claims.extend(
                hosts.map(|(pattern, holder)| {
                    (Claim::Host(*port, pattern.into()), Tenure::Of(holder.clone()))
                }),
            );
        }
        claims
    }

    /// Notes the certificate of a name that is served on demand.
    pub(super) fn settle_name(&mut self, port: u16, (chain, pattern): &MovedName) -> NameKey {
        let servers = self.servers(port);
        let certificate = servers.and_then(|servers| servers.sharing().certificate(chain, pattern));
        let certificate = certificate.cloned();
        let key = (chain_id(port, chain).into(), Arc::clone(pattern));
        match certificate {
            Some(name) => drop(self.names.insert(key.clone(), name)),
            None => drop(self.names.remove(&key)),
        }
        key
    }

    /// Notes servers that were checked: the view of their port may have changed.
    pub(super) fn looked_at(&mut self, port: u16, looks: Vec<Look>) {
        let stale = self.stale.entry(port).or_default();
        for look in looks {
            // If a server was checked twice, the first check knows its previous state.
            match stale.entry(look.id.clone()) {
                Entry::Occupied(mut own) => own.get_mut().now = look.now,
                Entry::Vacant(place) => drop(place.insert(look)),
            }
        }
    }

    /// Rebuilds views, and notes in the table what hosts require of connections. Returns the ports whose view has
    /// changed. `port_map` has the ports that Envoy binds in place of these.
    pub(super) fn settle_views(
        &mut self,
        gateway: &Gateway,
        gateways: &Gateways,
        table: &mut Table,
    ) -> BTreeSet<u16> {
        let mut moved = BTreeSet::new();
        for (number, looks) in std::mem::take(&mut self.stale) {
            let Some(state) = self.states.get_mut(&number) else {
                continue;
            };
            let looks: Vec<Look> = looks.into_values().collect();
            state.servers.note_tls(&looks);
            if state.settle_view((number, gateway.bind(number)), gateways.prefixes(), &looks, table) {
                moved.insert(number);
            }
            if state.servers.is_empty() {
                self.states.remove(&number);
            }
        }
        moved
    }

    /// The ports that are served.
    pub(super) fn views(&self) -> impl Iterator<Item = &Arc<ServedPort>> {
        self.states.values().filter_map(|state| state.view.as_ref())
    }

    /// The port of this number, if it is served.
    pub(super) fn view(&self, number: u16) -> Option<&Arc<ServedPort>> {
        self.states.get(&number)?.view.as_ref()
    }

    /// The names that are served on demand, each with its certificate.
    pub(super) fn names(&self) -> &OrdMap<NameKey, CredentialName> {
        &self.names
    }

    #[cfg(test)]
    pub(super) fn all_servers(&mut self) -> impl Iterator<Item = (u16, &mut Servers)> {
        self.states
            .iter_mut()
            .map(|(port, state)| (*port, &mut state.servers))
    }
}

impl PortState {
    /// Returns whether the view has changed.
    fn settle_view(
        &mut self,
        (number, bind): (u16, u16),
        prefixes: BTreeSet<String>,
        looks: &[Look],
        table: &mut Table,
    ) -> bool {
        let view = view::port(
            (number, bind),
            &self.servers,
            &self.native,
            &self.streams,
            prefixes,
        )
        .map(Arc::new);
        let demands = |port: Option<&Arc<ServedPort>>| port.is_some_and(|port| port.demands);
        let demands = (demands(self.view.as_ref()), demands(view.as_ref()));
        table.demand(number, demands, self.servers.sharing(), looks);
        let moved = self.view != view;
        if moved {
            self.view = view;
        }
        moved
    }
}
