//! Rendered headers of connections, by what Envoy recorded about them and whether their certificates are verified.
//! Bounded: the least recently used are evicted.

use std::collections::HashMap;
use std::rc::Rc;

use sealgate_core::identity::Rendered;

/// The maximum number of clients that a worker remembers. Each takes a few kilobytes.
const CAPACITY: usize = 256;

/// See the module.
#[derive(Default)]
pub(super) struct Cache {
    /// Separate maps for unverified and verified ones.
    entries: [HashMap<Box<[u8]>, CachedIdentity>; 2],
    clock: u64,
}

struct CachedIdentity {
    rendered: Rc<Rendered>,
    used: u64,
}

/// What Envoy recorded, and whether the certificate is verified.
pub(super) type CacheKey<'a> = (&'a [u8], bool);

impl Cache {
    pub(super) fn get(&mut self, (facts, is_verified): CacheKey<'_>) -> Option<Rc<Rendered>> {
        self.clock += 1;
        let [unverified, verified] = &mut self.entries;
        let entries = if is_verified { verified } else { unverified };
        let entry = entries.get_mut(facts)?;
        entry.used = self.clock;
        Some(Rc::clone(&entry.rendered))
    }

    pub(super) fn put(&mut self, (facts, is_verified): CacheKey<'_>, rendered: Rc<Rendered>) {
        let [unverified, verified] = &mut self.entries;
        let entries = if is_verified { verified } else { unverified };
        if entries.len() >= CAPACITY {
            let oldest = entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(oldest) = oldest.map(|(facts, _)| facts.clone()) {
                entries.remove(&oldest);
            }
        }
        let used = self.clock;
        entries.insert(facts.into(), CachedIdentity { rendered, used });
    }
}
