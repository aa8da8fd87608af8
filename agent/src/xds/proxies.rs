//! What proxies have acknowledged: shown by `admin`, and used by the engine to find objects to hold back, and clusters
//! to keep.

mod counts;
pub mod on_demand;
mod refusals;
mod rotations;
mod wants;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

pub use self::counts::AckCounts;
pub use self::refusals::{ByNode, Refusals, RefusedVersion};
pub use self::rotations::{RotationTimes, TimeBuckets};

use self::on_demand::OnDemandCounts;
use self::wants::{SecretWants, StreamWants};
use super::{Acknowledgement, WILDCARD, names};
use crate::demand::Delta;
use crate::snapshot::{ResourceKey, Snapshot, TypeUrl, Version};
use crate::trial::Reception;

/// The maximum number of disconnected proxies that are remembered.
const REMEMBERED: usize = 64;
/// The maximum length of a proxy's own messages.
const LONGEST_MESSAGE: usize = 2048;

/// The registry; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    nodes: Arc<Mutex<BTreeMap<String, Proxy>>>,
    on_demand: Arc<OnDemandCounts>,
    refusals: Refusals,
    rotations: Arc<RotationTimes>,
}

/// One proxy, by its node id.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// How many open streams it has.
    pub streams: usize,
    /// When it connected or disconnected.
    pub since: Option<OffsetDateTime>,
    /// What it has, by type and by name in the snapshot.
    pub held: BTreeMap<TypeUrl, BTreeMap<Arc<str>, Held>>,
    /// The Secrets that it asks for, by name in the snapshot.
    pub wants: SecretWants,
    /// The Secrets of the previous proxy with this name: how long they took is still valid.
    pub former: BTreeMap<Arc<str>, Held>,
    /// Secrets that it has because handshakes asked for them by name.
    pub on_demand: BTreeMap<Arc<str>, Held>,
    /// Its last rejection, by type, until it accepts something of that type again.
    pub refused: BTreeMap<TypeUrl, String>,
    /// How many responses it confirmed and rejected, by type, as long as it is remembered.
    pub counts: BTreeMap<TypeUrl, AckCounts>,
    /// How many resources from a previous agent it keeps because their state is unknown.
    pub unjudged: BTreeMap<TypeUrl, usize>,
    /// Whether it had no listener when it connected: then it has nothing from a previous agent.
    began_empty: bool,
    /// When its last stream ended.
    gone: Option<Instant>,
}

/// A resource that a proxy has.
#[derive(Clone, Debug)]
pub struct Held {
    /// The last version that it confirmed.
    pub version: Version,
    /// When it confirmed it.
    pub since: Instant,
    /// Since when it has asked for the resource: for a version that was published earlier, the time until confirmation
    /// means nothing.
    pub asked_since: Instant,
    /// Whether it asked for this version when it needed it: then the time until confirmation means nothing.
    pub asked: bool,
    /// Why it rejected a later one.
    pub refused: Option<String>,
}

impl Held {
    /// How long the proxy waited for the version that it has, given when that was published. A proxy that connected
    /// later, asked later, or asked because it needed it, has not waited.
    #[must_use]
    pub fn waited(&self, published: Instant) -> Option<Duration> {
        let has_waited = !self.asked && self.asked_since <= published;
        has_waited
            .then(|| self.since.checked_duration_since(published))
            .flatten()
    }
}

impl Proxy {
    /// Updates the counts from one of its streams.
    fn change_unjudged(&mut self, before: &BTreeMap<TypeUrl, usize>, now: &BTreeMap<TypeUrl, usize>) {
        for (kind, count) in before {
            let all = self.unjudged.entry(*kind).or_default();
            *all = all.saturating_sub(*count);
        }
        for (kind, count) in now {
            *self.unjudged.entry(*kind).or_default() += count;
        }
        self.unjudged.retain(|_, count| *count > 0);
    }
}

impl Proxies {
    /// A copy of the registry.
    #[must_use]
    pub fn list(&self) -> BTreeMap<String, Proxy> {
        self.lock().clone()
    }

    /// Whether a connected proxy continues with older routes, because it rejected these: what the older ones name must
    /// stay.
    #[must_use]
    pub fn are_behind(&self, snapshot: &Snapshot) -> bool {
        let nodes = self.lock();
        let connected = nodes.values().filter(|proxy| proxy.streams > 0);
        let mut routes = connected.flat_map(|proxy| {
            let kinds = [TypeUrl::ExtensionConfig, TypeUrl::Listener];
            kinds.into_iter().flat_map(|kind| {
                let held = proxy.held.get(&kind).into_iter().flatten();
                held.map(move |(name, held)| (kind, name, held))
            })
        });
        routes.any(|(kind, name, held)| {
            let now = snapshot.get(kind, name);
            held.refused.is_some() && now.is_some_and(|now| *now.version() != held.version)
        })
    }

    /// Whether connected proxies have accepted a resource of a snapshot.
    #[must_use]
    pub fn reception(&self, (kind, name): &ResourceKey, snapshot: &Snapshot) -> Reception {
        let version = snapshot.get(*kind, name).map(|resource| resource.version());
        let nodes = self.lock();
        let held = |proxy: &Proxy| {
            proxy
                .held
                .get(kind)?
                .get(name)
                .map(|held| Arc::clone(&held.version))
        };
        if let Some((node, reason)) = self.refusals.of(&(*kind, Arc::clone(name)), version) {
            let mut connected = nodes.values().filter(|proxy| proxy.streams > 0);
            return if nodes.get(&node).and_then(held).is_some() {
                Reception::Refused(reason)
            } else if connected.all(|proxy| proxy.began_empty && held(proxy).is_none()) {
                Reception::NeverTaken(reason)
            } else {
                Reception::Unfit(reason)
            };
        }
        // A proxy that has no other resource of this kind from here does not use this one.
        let takes = |proxy: &&Proxy| proxy.streams > 0 && proxy.held.contains_key(kind);
        let mut connected = nodes.values().filter(takes).peekable();
        if connected.peek().is_none() {
            return Reception::Nobody;
        }
        if connected.all(|proxy| held(proxy).as_ref() == version) {
            version.map_or(Reception::Absent, |_| Reception::Taken)
        } else {
            Reception::Pending
        }
    }

    /// A number that changes when something new is known about a proxy; cheap enough to be polled.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for (node, proxy) in self.lock().iter() {
            (
                node,
                proxy.streams,
                proxy.wants.names().count(),
                proxy.refused.len(),
            )
                .hash(&mut hasher);
            for counts in proxy.counts.values() {
                (counts.confirmed, counts.refused).hash(&mut hasher);
            }
            proxy.on_demand.len().hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Whether proxies are connected, and none of them has resources from a previous agent.
    #[must_use]
    pub fn are_fresh(&self) -> bool {
        let nodes = self.lock();
        let mut connected = nodes.values().filter(|proxy| proxy.streams > 0).peekable();
        connected.peek().is_some() && connected.all(|proxy| proxy.began_empty)
    }

    /// The resources that connected proxies rejected.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// How long proxies waited for the credentials that were published.
    #[must_use]
    pub fn rotations(&self) -> &RotationTimes {
        &self.rotations
    }

    /// The names that handshakes asked for.
    #[must_use]
    pub fn on_demand(&self) -> &OnDemandCounts {
        &self.on_demand
    }

    /// Notes a new stream; it counts until the returned value is dropped. Secrets without a namespace are in
    /// `namespace`.
    pub(crate) fn connect(&self, node: &str, namespace: &Arc<str>) -> ProxyStream {
        let mut nodes = self.lock();
        let proxy = nodes.entry(node.to_owned()).or_default();
        proxy.streams += 1;
        proxy.gone = None;
        if proxy.streams == 1 {
            proxy.since = Some(OffsetDateTime::now_utc());
            tracing::info!(node, "a proxy connected");
        }
        ProxyStream {
            proxies: self.clone(),
            node: node.to_owned(),
            namespace: Arc::clone(namespace),
            wants: StreamWants::default(),
            unjudged: BTreeMap::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Proxy>> {
        // A panic while the lock was held can at worst have left one entry out of date.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open stream of a proxy.
#[derive(Debug)]
pub(crate) struct ProxyStream {
    proxies: Proxies,
    node: String,
    namespace: Arc<str>,
    /// What this stream asks for.
    wants: StreamWants,
    /// What the proxy keeps from a previous agent, according to this stream.
    unjudged: BTreeMap<TypeUrl, usize>,
}

impl ProxyStream {
    /// Whether it has a resource (a name on the wire; `*` is any) from this agent.
    pub(crate) fn has(&self, kind: TypeUrl, name: &str) -> bool {
        let nodes = self.proxies.lock();
        let held = nodes.get(&self.node).and_then(|proxy| proxy.held.get(&kind));
        held.is_some_and(|held| match kind {
            _ if name == WILDCARD => !held.is_empty(),
            TypeUrl::Secret => held.contains_key(&*names::canonical(name, &self.namespace)),
            _ => held.contains_key(name),
        })
    }

    /// Sets how many resources it keeps from a previous agent.
    pub(crate) fn set_unjudged(&mut self, now: BTreeMap<TypeUrl, usize>) {
        if now == self.unjudged {
            return;
        }
        for (kind, count) in &now {
            let is_more = self.unjudged.get(kind).is_none_or(|before| before < count);
            if is_more {
                tracing::warn!(
                    node = self.node,
                    kind = kind.short(),
                    count,
                    "a proxy keeps what an earlier agent sent: its objects cannot be read, and no copy of them was kept"
                );
            }
        }
        let mut nodes = self.proxies.lock();
        if let Some(proxy) = nodes.get_mut(&self.node) {
            proxy.change_unjudged(&self.unjudged, &now);
        }
        self.unjudged = now;
    }

    /// Notes that the proxy has nothing of this kind: it is a new one, and does not have what the previous one had. If
    /// several have the same name, the others may.
    pub(crate) fn starts_anew(&self, kind: TypeUrl) {
        let mut nodes = self.proxies.lock();
        if let Some(proxy) = nodes.get_mut(&self.node) {
            proxy.began_empty |= kind == TypeUrl::Listener;
        }
        if let Some(proxy) = nodes.get_mut(&self.node).filter(|proxy| proxy.streams == 1) {
            let held = proxy.held.remove(&kind);
            if kind == TypeUrl::Secret {
                proxy.former = held.unwrap_or_default();
            }
            proxy.refused.remove(&kind);
            self.proxies.refusals.forget_kind(&self.node, kind);
        }
    }

    /// Takes changes in which Secrets are requested, by name in the snapshot.
    pub(crate) fn want(&mut self, delta: &Delta<Arc<str>>) {
        if !delta.is_empty()
            && let Some(proxy) = self.proxies.lock().get_mut(&self.node)
        {
            self.wants.change(delta, &mut proxy.wants);
        }
    }

    /// The same, with names in the snapshot.
    fn canonical(&self, kind: TypeUrl, said: &Acknowledgement) -> Acknowledgement {
        let mut said = said.clone();
        if kind == TypeUrl::Secret {
            for (name, _) in &mut said.resources {
                *name = names::canonical(name, &self.namespace).into();
            }
        }
        said
    }

    /// Takes a proxy's answer about resources of this snapshot, or of an earlier one.
    pub(crate) fn acknowledge(&self, kind: TypeUrl, acknowledgement: &Acknowledgement, snapshot: &Snapshot) {
        let acknowledgement = &self.canonical(kind, acknowledgement);
        let refused = acknowledgement.refused.as_deref().map(shortened);
        match &refused {
            Some(reason) => tracing::error!(
                node = self.node,
                kind = kind.short(),
                reason,
                "a proxy rejected an update"
            ),
            None => tracing::debug!(
                node = self.node,
                kind = kind.short(),
                "a proxy confirmed an update"
            ),
        }
        let now = Instant::now();
        let mut nodes = self.proxies.lock();
        let Some(proxy) = nodes.get_mut(&self.node) else {
            return;
        };
        match &refused {
            Some(reason) => drop(proxy.refused.insert(kind, reason.clone())),
            None => drop(proxy.refused.remove(&kind)),
        }
        proxy.counts.entry(kind).or_default().add(refused.is_some());
        self.proxies.refusals.take(&self.node, kind, acknowledgement);
        let held = proxy.held.entry(kind).or_default();
        for (name, version) in &acknowledgement.resources {
            match (version, &refused) {
                (Some(version), None) => {
                    let entry = Held {
                        version: Arc::clone(version),
                        since: now,
                        asked_since: proxy.wants.since(name).unwrap_or(now),
                        asked: false,
                        refused: None,
                    };
                    // The first confirmation of a version counts.
                    if held
                        .get(name)
                        .is_none_or(|old| old.version != *version || old.refused.is_some())
                    {
                        if kind == TypeUrl::Secret {
                            self.proxies.rotations.note(name, &entry, snapshot);
                        }
                        held.insert(Arc::clone(name), entry);
                    }
                }
                (_, Some(_)) => {
                    if let Some(old) = held.get_mut(name) {
                        old.refused.clone_from(&refused);
                    }
                }
                // Envoy confirms a Secret's removal, but still serves the old one.
                (None, None) if kind == TypeUrl::Secret => {}
                (None, None) => drop(held.remove(name)),
            }
        }
    }
}

impl Drop for ProxyStream {
    fn drop(&mut self) {
        let mut nodes = self.proxies.lock();
        if let Some(proxy) = nodes.get_mut(&self.node) {
            proxy.streams = proxy.streams.saturating_sub(1);
            self.wants.give_up(&mut proxy.wants);
            proxy.change_unjudged(&self.unjudged, &BTreeMap::new());
            if proxy.streams == 0 {
                tracing::info!(node = self.node, "a proxy left");
                proxy.gone = Some(Instant::now());
                proxy.since = Some(OffsetDateTime::now_utc());
                self.proxies.refusals.forget(&self.node);
            }
        }
        let oldest = |nodes: &BTreeMap<String, Proxy>| {
            let gone = nodes
                .iter()
                .filter_map(|(node, proxy)| Some((proxy.gone?, node.clone())));
            let gone: Vec<_> = gone.collect();
            if gone.len() > REMEMBERED {
                gone.into_iter().min()
            } else {
                None
            }
        };
        while let Some((_, node)) = oldest(&nodes) {
            nodes.remove(&node);
        }
    }
}

/// Envoy quotes what it rejects before it says why, so both ends are kept.
fn shortened(message: &str) -> String {
    if message.len() <= LONGEST_MESSAGE {
        return message.to_owned();
    }
    let (first, last) = (LONGEST_MESSAGE / 4, message.len() - LONGEST_MESSAGE * 3 / 4);
    let first = message
        .get(..message.floor_char_boundary(first))
        .unwrap_or_default();
    let last = message
        .get(message.ceil_char_boundary(last)..)
        .unwrap_or_default();
    format!("{first} ... {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_message_both_ends_are_kept() {
        let long = format!("Error: {}\u{e9}: no reason", "\u{e9}".repeat(5_000));
        let short = shortened(&long);
        assert!(
            short.starts_with("Error: ") && short.ends_with(": no reason"),
            "{short}"
        );
        assert!(short.len() <= LONGEST_MESSAGE + 8, "{}", short.len());
        assert_eq!(shortened("short"), "short");
    }
}
