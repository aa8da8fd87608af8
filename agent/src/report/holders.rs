//! Which proxies hold a credential, which should, and how long the slowest took.

use std::collections::BTreeMap;
use std::time::Instant;

use sealgate_model::CredentialName;

use super::Nodes;
use crate::admin::status::{CredentialStatus, HeldBy, HeldState};
use crate::snapshot::TypeUrl;
use crate::xds::proxies::{ByNode, Held, Proxy, RefusedVersion};

/// Of each credential, by its name: what each proxy has of it that has it or asks for it.
#[derive(Default)]
pub(super) struct Holders<'p>(BTreeMap<&'p str, BTreeMap<&'p str, Holding<'p>>>);

/// What a proxy has of a credential.
struct Holding<'p> {
    is_connected: bool,
    /// What it asks for as a whole, and what handshakes asked it for.
    held: Vec<&'p Held>,
    /// What the one before it under its name had.
    former: Option<&'p Held>,
    refused: Option<&'p RefusedVersion>,
}

impl<'p> Holders<'p> {
    pub(super) fn new(proxies: &'p Nodes, refused: &'p ByNode) -> Self {
        let mut holders = Self::default();
        for (node, proxy) in proxies {
            let held = proxy.held.get(&TypeUrl::Secret).into_iter().flatten();
            for (name, held) in held.chain(&proxy.on_demand) {
                holders.holding(name, node, proxy).held.push(held);
            }
            for name in proxy.wants.names() {
                holders.holding(name, node, proxy);
            }
            for (name, held) in &proxy.former {
                if let Some(holding) = holders.known(name, node) {
                    holding.former = Some(held);
                }
            }
        }
        for ((node, (kind, name)), refused) in refused {
            if *kind == TypeUrl::Secret
                && let Some(holding) = holders.known(name, node)
            {
                holding.refused = Some(refused);
            }
        }
        holders
    }

    fn holding(&mut self, name: &'p str, node: &'p str, proxy: &Proxy) -> &mut Holding<'p> {
        let holders = self.0.entry(name).or_default();
        holders.entry(node).or_insert_with(|| Holding {
            is_connected: proxy.streams > 0,
            held: Vec::new(),
            former: None,
            refused: None,
        })
    }

    fn known(&mut self, name: &str, node: &str) -> Option<&mut Holding<'p>> {
        self.0.get_mut(name)?.get_mut(node)
    }

    /// Tells who holds a credential that was published at this time.
    pub(super) fn tell(&self, name: &CredentialName, published: Instant, status: &mut CredentialStatus) {
        let Some(holders) = self.0.get(name.to_string().as_str()) else {
            return;
        };
        let current = status.version.clone().unwrap_or_default();
        let held_by = holders.iter().map(|(node, holding)| holding.tell(node, &current));
        status.proxies = held_by.collect();
        let times = holders
            .values()
            .flat_map(|holding| holding.times(&current, published));
        let slowest = times.max();
        status.rotation_ms = slowest.map(|took| took.as_secs_f64() * 1000.0);
    }
}

impl Holding<'_> {
    /// The one that is behind, if one is.
    fn held(&self, current: &str) -> Option<&Held> {
        let behind = self.held.iter().find(|held| *held.version != *current);
        behind.or(self.held.first()).copied()
    }

    fn tell(&self, node: &str, current: &str) -> HeldBy {
        let held = self.held(current);
        let is_current = held.is_some_and(|held| *held.version == *current);
        let refused = self.refused.map(|refused| &refused.reason);
        let refused = refused.or(held.and_then(|held| held.refused.as_ref()));
        let state = match refused {
            _ if !self.is_connected => HeldState::Gone,
            _ if is_current => HeldState::Current,
            Some(_) => HeldState::Refused,
            None => HeldState::Behind,
        };
        HeldBy {
            node: node.to_owned(),
            state,
            version: held.map(|held| held.version.to_string()),
            refused: refused.filter(|_| !is_current).cloned(),
        }
    }

    /// How long it took to confirm what it asked for when it was published.
    fn times(&self, current: &str, published: Instant) -> impl Iterator<Item = std::time::Duration> {
        let all = self.held.iter().copied().chain(self.former);
        let current = all.filter(move |held| *held.version == *current);
        current.filter_map(move |held| held.waited(published))
    }
}

#[cfg(test)]
mod tests;
