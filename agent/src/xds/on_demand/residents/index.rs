//! Indexes of resident names: by Secret, by name, by pattern, and by when they are due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::resident::{Id, ProxyChain, Resident};
use crate::xds::proxies::ProxyStream;

/// A property of names, then the name's number: earlier names have lower numbers.
type Aged<K> = BTreeSet<(K, Id)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ResidentIndex {
    /// The chains of proxies, each with the number of its names and its connection to the registry.
    places: BTreeMap<Arc<ProxyChain>, (usize, ProxyStream)>,
    secrets: BTreeSet<(Arc<str>, Id)>,
    /// By chain and by the reversed name, so that the names of a wildcard are adjacent.
    names: BTreeSet<(Arc<str>, Box<str>, Id)>,
    patterns: Aged<(Arc<ProxyChain>, Arc<str>)>,
    ages: Aged<Arc<ProxyChain>>,
    due: BTreeSet<(Instant, Id)>,
}

fn backwards(name: &str) -> Box<str> {
    name.chars().rev().collect()
}

impl ResidentIndex {
    pub(super) fn place(&self, node: &str, chain: &str) -> Arc<ProxyChain> {
        let place = ProxyChain {
            node: node.into(),
            chain: chain.into(),
        };
        let known = self
            .places
            .get_key_value(&place)
            .map(|(known, _)| Arc::clone(known));
        known.unwrap_or_else(|| Arc::new(place))
    }

    pub(super) fn insert(&mut self, id: Id, resident: &Resident, connect: impl FnOnce() -> ProxyStream) {
        let place = Arc::clone(&resident.place);
        let (count, _) = self
            .places
            .entry(Arc::clone(&place))
            .or_insert_with(|| (0, connect()));
        *count += 1;
        self.secrets.insert((Arc::clone(&resident.secret), id));
        let chain = Arc::clone(&place.chain);
        self.names.insert((chain, backwards(&resident.name), id));
        let key = (Arc::clone(&place), Arc::clone(&resident.pattern));
        self.patterns.insert((key, id));
        self.ages.insert((place, id));
        self.due.insert((resident.due, id));
    }

    pub(super) fn remove(&mut self, id: Id, resident: &Resident) {
        let place = Arc::clone(&resident.place);
        match self.places.get_mut(&place) {
            Some((count, _)) if *count > 1 => *count -= 1,
            _ => drop(self.places.remove(&place)),
        }
        self.secrets.remove(&(Arc::clone(&resident.secret), id));
        let chain = Arc::clone(&place.chain);
        self.names.remove(&(chain, backwards(&resident.name), id));
        let key = (Arc::clone(&place), Arc::clone(&resident.pattern));
        self.patterns.remove(&(key, id));
        self.ages.remove(&(place, id));
        self.due.remove(&(resident.due, id));
    }

    /// The connection of a place to the registry.
    pub(super) fn stream(&self, place: &Arc<ProxyChain>) -> Option<&ProxyStream> {
        self.places.get(place).map(|(_, stream)| stream)
    }

    /// How many names a place has.
    pub(super) fn count(&self, place: &Arc<ProxyChain>) -> usize {
        self.places.get(place).map_or(0, |(count, _)| *count)
    }

    pub(super) fn of_secret(&self, secret: &Arc<str>) -> impl Iterator<Item = Id> {
        let all = self.secrets.range((Arc::clone(secret), 0)..);
        all.take_while(move |(own, _)| own == secret).map(|(_, id)| *id)
    }

    /// The names of a chain that match a pattern.
    pub(super) fn within(&self, chain: &Arc<str>, pattern: &str) -> Vec<Id> {
        let (end, is_wildcard) = match pattern.strip_prefix('*') {
            Some(end) => (backwards(end), true),
            None => (backwards(pattern), false),
        };
        let all = self.names.range((Arc::clone(chain), end.clone(), 0)..);
        let all = all.take_while(|(own, name, _)| own == chain && name.starts_with(&*end));
        all.take_while(|(_, name, _)| is_wildcard || *name == end)
            .map(|(_, _, id)| *id)
            .collect()
    }

    /// The names of a pattern, the oldest first.
    pub(super) fn of_pattern(&self, place: &Arc<ProxyChain>, pattern: &Arc<str>) -> impl Iterator<Item = Id> {
        let key = (Arc::clone(place), Arc::clone(pattern));
        aged(&self.patterns, key)
    }

    /// The names of a place, the oldest first.
    pub(super) fn oldest(&self, place: &Arc<ProxyChain>) -> impl Iterator<Item = Id> {
        aged(&self.ages, Arc::clone(place))
    }

    /// Names that are due.
    pub(super) fn due(&self, now: Instant) -> Vec<(Instant, Id)> {
        self.due.range(..=(now, Id::MAX)).copied().collect()
    }

    pub(super) fn put_off(&mut self, due: (Instant, Id), until: Instant) {
        self.due.remove(&due);
        self.due.insert((until, due.1));
    }
}

fn aged<K: Ord + Clone>(all: &Aged<K>, key: K) -> impl Iterator<Item = Id> + use<'_, K> {
    let from = all.range((key.clone(), 0)..);
    from.take_while(move |(other, _)| *other == key)
        .map(|(_, id)| *id)
}
