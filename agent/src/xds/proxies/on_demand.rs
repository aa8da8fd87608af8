//! What proxies have because handshakes asked for it by name. It is kept apart from their other subscriptions: a proxy
//! may have a Secret in both ways, and drops each separately.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use super::{Held, Proxy, ProxyStream, shortened};
use crate::snapshot::{Snapshot, TypeUrl, Version};

/// Counts of names, over all proxies.
#[derive(Debug, Default)]
pub struct OnDemandCounts {
    resident: AtomicUsize,
    unknown: AtomicU64,
    taken_back: AtomicU64,
}

impl OnDemandCounts {
    /// Names that proxies have now.
    #[must_use]
    pub fn resident(&self) -> usize {
        self.resident.load(Ordering::Relaxed)
    }

    /// How many times a name was requested that is not served.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    /// How many times a name was taken back although it is still served.
    #[must_use]
    pub fn taken_back(&self) -> u64 {
        self.taken_back.load(Ordering::Relaxed)
    }

    pub(crate) fn set_resident(&self, count: usize) {
        self.resident.store(count, Ordering::Relaxed);
    }

    pub(crate) fn count_unknown(&self) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_taken_back(&self) {
        self.taken_back.fetch_add(1, Ordering::Relaxed);
    }
}

impl ProxyStream {
    /// Notes that the proxy has accepted this version under every name for which it asked for the Secret.
    pub(crate) fn hold_name(&self, secret: &Arc<str>, version: &Version, pushed: bool, snapshot: &Snapshot) {
        self.change(|proxy| {
            proxy.refused.remove(&TypeUrl::Secret);
            proxy.counts.entry(TypeUrl::Secret).or_default().add(false);
            let known = proxy.on_demand.get(secret);
            if known.is_none_or(|old| old.version != *version || old.refused.is_some()) {
                let now = Instant::now();
                let held = Held {
                    version: Arc::clone(version),
                    since: now,
                    asked_since: known.map_or(now, |known| known.asked_since),
                    asked: !pushed,
                    refused: None,
                };
                self.proxies.rotations.note(secret, &held, snapshot);
                proxy.on_demand.insert(Arc::clone(secret), held);
            }
        });
    }

    /// Notes that it rejected the version under one of them. Clients decide how often that happens, so it is logged
    /// once.
    pub(crate) fn refuse_name(&self, secret: &Arc<str>, version: &Version, reason: &str) {
        let reason = shortened(reason);
        let mut is_new = false;
        self.change(|proxy| {
            is_new = proxy.refused.get(&TypeUrl::Secret) != Some(&reason);
            proxy.refused.insert(TypeUrl::Secret, reason.clone());
            proxy.counts.entry(TypeUrl::Secret).or_default().add(true);
            if let Some(held) = proxy.on_demand.get_mut(secret) {
                held.refused = Some(reason.clone());
            }
        });
        if is_new {
            let (node, secret, version) = (&self.node, &**secret, &**version);
            tracing::error!(
                node,
                secret,
                version,
                reason,
                "a proxy rejected a certificate that it asked for"
            );
        }
    }

    /// Notes that it no longer has the Secret under any name.
    pub(crate) fn forget_name(&self, secret: &Arc<str>) {
        self.change(|proxy| drop(proxy.on_demand.remove(secret)));
    }

    fn change(&self, change: impl FnOnce(&mut Proxy)) {
        if let Some(proxy) = self.proxies.lock().get_mut(&self.node) {
            change(proxy);
        }
    }
}
