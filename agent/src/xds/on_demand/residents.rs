//! The names that proxies have because handshakes asked for them, as a pure state machine. Its input is requests,
//! acknowledgements and snapshots; each answer is fetched by its stream, which is woken for it.
//!
//! Envoy never drops a name by itself, so names are taken back: the oldest ones of a pattern that has too many, and
//! every name after a while. The next handshake asks for it again.

mod index;
mod limits;
mod resident;
mod words;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

pub(super) use self::resident::{Asker, Id, ProxyChain, SecretAnswer};

use self::index::ResidentIndex;
use self::limits::{PATIENCE, is_full, life, most_of};
use self::resident::Resident;
use self::words::{Word, Words};
use super::name::normalized;
use crate::snapshot::{Snapshot, TypeUrl};
use crate::xds::proxies::Proxies;

/// See the module.
#[derive(Debug)]
pub(super) struct Residents {
    snapshot: Arc<Snapshot>,
    all: HashMap<Id, Resident>,
    /// Names that are being taken back, until their streams have sent that.
    leaving: HashMap<Id, Arc<str>>,
    index: ResidentIndex,
    words: Words,
    proxies: Proxies,
    next: Id,
}

impl Residents {
    pub(super) fn new(snapshot: Arc<Snapshot>, proxies: Proxies) -> Self {
        Self {
            snapshot,
            all: HashMap::new(),
            leaving: HashMap::new(),
            index: ResidentIndex::default(),
            words: Words::default(),
            proxies,
            next: 0,
        }
    }

    /// A chain of a proxy.
    pub(super) fn place(&self, node: &str, chain: &str) -> Arc<ProxyChain> {
        self.index.place(node, chain)
    }

    /// Takes a request; returns none if the name is not served, or its Secret does not exist yet. The proxy may already
    /// have a version, from before the stream was lost.
    pub(super) fn ask(
        &mut self,
        asker: &Asker,
        wire: &[u8],
        brought: Option<&str>,
        now: Instant,
    ) -> Option<Id> {
        let place = &asker.place;
        let name = normalized(wire);
        let found = name.as_ref().and_then(|name| self.find(&place.chain, name));
        let (Some(name), Some((pattern, secret)), Ok(wire)) = (&name, found, std::str::from_utf8(wire))
        else {
            self.proxies.on_demand().count_unknown();
            return None;
        };
        let resource = self.snapshot.get(TypeUrl::Secret, &secret)?;
        let is_behind = brought.is_some_and(|version| *version != **resource.version());
        let id = self.next;
        self.next += 1;
        let name: Arc<str> = name.as_str().into();
        let resident = Resident {
            place: Arc::clone(place),
            wake: Arc::clone(&asker.wake),
            wire: if *wire == *name {
                Arc::clone(&name)
            } else {
                wire.into()
            },
            name,
            pattern,
            secret,
            due: now + life(id),
            sent: None,
            pending: true,
            word: Word::Waiting,
            has_good: brought.is_some(),
        };
        let secret = Arc::clone(&resident.secret);
        self.add(id, resident);
        // A change that it missed while the stream was lost is only late; no handshake asked for it.
        self.words.wait(&place.node, &secret, Word::Waiting, is_behind);
        self.bound(id);
        Some(id)
    }

    /// A known name is requested again, and answered again.
    pub(super) fn ask_again(&mut self, id: Id) {
        if let Some(resident) = self.all.get_mut(&id) {
            resident.sent = None;
            resident.wait(&mut self.words);
        }
    }

    /// What the stream must now send about a name; `nonce` is for that answer.
    pub(super) fn answer(&mut self, id: Id, nonce: u64) -> Option<SecretAnswer> {
        if let Some(wire) = self.leaving.remove(&id) {
            return Some(SecretAnswer::Removed(wire.as_bytes().to_vec()));
        }
        let resident = self.all.get_mut(&id).filter(|resident| resident.pending)?;
        resident.pending = false;
        let resource = self.snapshot.get(TypeUrl::Secret, &resident.secret)?;
        resident.sent = Some((nonce, Arc::clone(resource.version())));
        Some(SecretAnswer::Secret(
            Arc::clone(&resident.wire),
            Arc::clone(resource),
        ))
    }

    /// Takes a proxy's acknowledgement of an answer. If it rejects a name that it does not have yet, a handshake is
    /// waiting: it is told that the name does not exist.
    pub(super) fn acknowledge(&mut self, id: Id, nonce: u64, refused: Option<&str>) {
        let Some(resident) = self.all.get_mut(&id) else {
            return;
        };
        let Some(version) = resident.acknowledge(nonce, refused.is_some()) else {
            return;
        };
        // A later version is being sent: its acknowledgement will count.
        if resident.pending {
            return;
        }
        let word = if refused.is_some() {
            Word::Refused
        } else {
            Word::Taken
        };
        let (node, secret) = (&resident.place.node, &resident.secret);
        let whole = self.words.say(node, secret, resident.word, word);
        resident.word = word;
        let has_good = resident.has_good;
        if let Some(stream) = self.index.stream(&resident.place) {
            match (refused, whole) {
                (Some(reason), _) => stream.refuse_name(secret, &version, reason),
                (None, Some(pushed)) => {
                    stream.hold_name(secret, &version, pushed, &self.snapshot);
                }
                (None, None) => {}
            }
        }
        if !has_good {
            self.take_back(id);
        }
    }

    /// The stream has ended, or the proxy no longer asks for this name.
    pub(super) fn close(&mut self, id: Id) {
        self.leaving.remove(&id);
        self.remove(id);
    }

    /// Takes a new snapshot, and wakes the streams that it affects.
    pub(super) fn follow(&mut self, snapshot: Arc<Snapshot>) {
        if Arc::ptr_eq(&snapshot, &self.snapshot) {
            return;
        }
        let secrets = snapshot.changed_since(&self.snapshot, TypeUrl::Secret);
        let patterns = snapshot.on_demand().changed_since(self.snapshot.on_demand());
        self.snapshot = snapshot;
        let mut ids = Vec::new();
        for secret in &secrets {
            ids.extend(self.index.of_secret(secret));
        }
        for (chain, pattern) in &patterns {
            ids.extend(self.index.within(chain, pattern));
        }
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().for_each(|id| self.look(id));
    }

    /// Takes back names that have been there long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        for (due, id) in self.index.due(now) {
            let Some(resident) = self.all.get_mut(&id) else {
                continue;
            };
            if resident.word == Word::Waiting {
                resident.due = now + PATIENCE;
                self.index.put_off((due, id), now + PATIENCE);
            } else {
                self.proxies.on_demand().count_taken_back();
                self.take_back(id);
            }
        }
    }

    fn find(&self, chain: &str, name: &str) -> Option<(Arc<str>, Arc<str>)> {
        let (pattern, secret) = self.snapshot.on_demand().find(chain, name)?;
        Some((Arc::clone(pattern), Arc::clone(secret)))
    }

    /// Checks a name, which may now have another Secret or none, or whose Secret may have changed.
    fn look(&mut self, id: Id) {
        let Some(resident) = self.all.get(&id) else {
            return;
        };
        let found = self.find(&resident.place.chain, &resident.name);
        let found = found.filter(|(_, secret)| self.snapshot.get(TypeUrl::Secret, secret).is_some());
        let Some((pattern, secret)) = found else {
            return self.take_back(id);
        };
        if (&pattern, &secret) != (&resident.pattern, &resident.secret)
            && let Some(mut resident) = self.remove(id)
        {
            let is_other = resident.secret != secret;
            (resident.pattern, resident.secret) = (pattern, secret);
            if is_other {
                (resident.sent, resident.word) = (None, Word::Waiting);
            }
            self.add(id, resident);
        }
        let Some(resident) = self.all.get_mut(&id) else {
            return;
        };
        let version = self
            .snapshot
            .get(TypeUrl::Secret, &resident.secret)
            .map(|own| own.version());
        if resident.sent.as_ref().map(|(_, sent)| sent) != version {
            resident.wait(&mut self.words);
            resident.wake.notify_one();
        }
    }

    fn add(&mut self, id: Id, resident: Resident) {
        let connect = || self.proxies.connect(&resident.place.node, &"".into());
        self.index.insert(id, &resident, connect);
        self.words
            .join(&resident.place.node, &resident.secret, resident.word);
        self.all.insert(id, resident);
        self.proxies.on_demand().set_resident(self.all.len());
    }

    fn remove(&mut self, id: Id) -> Option<Resident> {
        let resident = self.all.remove(&id)?;
        let (place, secret) = (&resident.place, &resident.secret);
        if self.words.leave(&place.node, secret, resident.word)
            && let Some(stream) = self.index.stream(place)
        {
            stream.forget_name(secret);
        }
        self.index.remove(id, &resident);
        self.proxies.on_demand().set_resident(self.all.len());
        Some(resident)
    }

    fn take_back(&mut self, id: Id) {
        if let Some(resident) = self.remove(id) {
            self.leaving.insert(id, resident.wire);
            resident.wake.notify_one();
        }
    }

    /// Takes names back to make room for a new one, if there are too many: first those of the same pattern, so that
    /// whoever asks for many names of one pattern loses those.
    fn bound(&mut self, id: Id) {
        let Some(resident) = self.all.get(&id) else {
            return;
        };
        let (place, pattern) = (Arc::clone(&resident.place), Arc::clone(&resident.pattern));
        let is_settled = |id: &Id| self.all.get(id).is_some_and(|own| own.word != Word::Waiting);
        let alike: Vec<Id> = self.index.of_pattern(&place, &pattern).collect();
        let patterns = self.snapshot.on_demand().count(&place.chain);
        let is_full = is_full(self.index.count(&place), patterns);
        let excess = alike
            .len()
            .saturating_sub(most_of(&pattern))
            .max(usize::from(is_full));
        let mut victims: Vec<Id> = alike.iter().copied().filter(is_settled).take(excess).collect();
        if victims.is_empty() && is_full {
            victims.extend(self.index.oldest(&place).find(is_settled));
        }
        for victim in victims {
            self.proxies.on_demand().count_taken_back();
            self.take_back(victim);
        }
    }
}

#[cfg(test)]
mod tests;
