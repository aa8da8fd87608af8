//! A port as Envoy gets it: filter chains, and what its listener must know about the routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_core::identity::IdentityPolicy;
use sealgate_core::rules::Mirror;

use super::block::Native;
use super::port::Servers;
use super::stream_route::Streams;
use crate::resolved::{FilterChain, Meaning, ServedPort};

/// What the rules of a port need besides the filter, each with how many hosts need it.
#[derive(Debug, Default)]
pub(super) struct NativeCount {
    mirrors: BTreeMap<Arc<str>, (Arc<[Mirror]>, usize)>,
    delays: usize,
}

impl NativeCount {
    /// One more host needs this; returns whether the port did not need it before.
    pub(super) fn add(&mut self, native: &Native) -> bool {
        let mut moved = false;
        for (key, list) in &native.mirrors {
            let (_, count) = self.mirrors.entry(Arc::clone(key)).or_insert_with(|| {
                moved = true;
                (Arc::clone(list), 0)
            });
            *count += 1;
        }
        self.delays += usize::from(native.delays);
        moved || (native.delays && self.delays == 1)
    }

    /// One host less needs it; returns whether the port no longer needs it.
    pub(super) fn remove(&mut self, native: &Native) -> bool {
        let mut moved = false;
        for (key, _) in &native.mirrors {
            match self.mirrors.get_mut(key) {
                Some((_, count)) if *count > 1 => *count -= 1,
                _ => moved |= self.mirrors.remove(key).is_some(),
            }
        }
        self.delays -= usize::from(native.delays && self.delays > 0);
        moved || (native.delays && self.delays == 0)
    }
}

/// The port; none if none of its servers is served.
pub(super) fn port(
    (number, bind): (u16, u16),
    servers: &Servers,
    native: &NativeCount,
    streams: &Streams,
    prefixes: BTreeSet<String>,
) -> Option<ServedPort> {
    let tcp = servers.tcp().map(|server| Arc::new(FilterChain::closed(server)));
    let own = servers.sharing().chains().chain(&tcp);
    let mut chains: Vec<Arc<FilterChain>> = own
        .flat_map(|chain| chain.split(streams.of(&chain.name)))
        .collect();
    let mut plain: Option<Meaning> = None;
    for server in servers.plain() {
        let meaning =
            Meaning::new(server.identity.as_ref(), None).with_escaped_slashes(server.escaped_slashes);
        match &mut plain {
            Some(plain) => plain.also(meaning),
            None => plain = Some(meaning),
        }
    }
    chains.extend(plain.map(|meaning| Arc::new(FilterChain::plain(meaning))));
    if chains.is_empty() {
        return None;
    }
    let mirrors = native.mirrors.iter();
    Some(ServedPort {
        number,
        bind,
        told: told(&chains),
        demands: has_demands(&chains),
        chains,
        prefixes,
        mirrors: mirrors
            .map(|(key, (list, _))| (Arc::clone(key), Arc::clone(list)))
            .collect(),
        delays: native.delays > 0,
    })
}

/// What upstreams are told about the clients of each chain; nothing for a chain that is missing here.
fn told(chains: &[Arc<FilterChain>]) -> Vec<IdentityPolicy> {
    let mut told: Vec<IdentityPolicy> = Vec::new();
    for chain in chains {
        let Some(identity) = &chain.meaning.told else {
            continue;
        };
        match told.iter_mut().find(|known| known.identity == *identity) {
            Some(known) => known.chains.push(chain.name.to_string()),
            None => told.push(IdentityPolicy {
                chains: vec![chain.name.to_string()],
                identity: identity.clone(),
            }),
        }
    }
    told
}

/// Whether requests for hosts are allowed only on some connections. The gateway's certificates do not matter: clients
/// check them. If all chains demand the same, and no client certificate, there is nothing to bypass.
fn has_demands(chains: &[Arc<FilterChain>]) -> bool {
    let secure = || {
        chains
            .iter()
            .filter_map(|chain| chain.policy.as_ref().map(|policy| (chain, policy)))
    };
    let policies: BTreeSet<_> = secure().map(|(_, policy)| policy).collect();
    policies.len() > 1 || secure().any(|(chain, _)| chain.asks())
}
