//! The only maker of snapshots, and the changes that it publishes at once.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Resource, ResourceKey, Snapshot, TypeUrl, Unjudged, Version};
use crate::deadlines::Deadlines;

/// The only maker of snapshots.
#[derive(Debug)]
pub struct Publisher {
    sender: watch::Sender<Arc<Snapshot>>,
    grace: Duration,
    /// Resources that are gone and still served, until when.
    retired: Deadlines<ResourceKey, Instant>,
    /// Those that were taken off, since somebody asked.
    gone: Vec<ResourceKey>,
    in_use: InUse,
}

/// Whether a proxy may still name what a snapshot does not: then nothing that is gone is taken off.
struct InUse(Box<dyn Fn(&Snapshot) -> bool + Send + Sync>);

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InUse")
    }
}

impl Publisher {
    /// A publisher of nothing yet. Clusters and endpoints that vanish are served for `grace` longer: make before
    /// break, since requests in flight and other workers may still name them.
    #[must_use]
    pub fn new(grace: Duration) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (sender, receiver) = watch::channel(Arc::default());
        (
            Self {
                sender,
                grace,
                retired: Deadlines::default(),
                gone: Vec::new(),
                in_use: InUse(Box::new(|_| false)),
            },
            receiver,
        )
    }

    /// From now on what is gone is kept, beyond the grace, while this says that a proxy may still name it.
    pub fn keep_while(&mut self, in_use: impl Fn(&Snapshot) -> bool + Send + Sync + 'static) {
        self.in_use = InUse(Box::new(in_use));
    }

    /// Makes changes, and publishes them at once if something moved. Says whether it did.
    pub fn update(&mut self, now: Instant, change: impl FnOnce(&mut Draft<'_>)) -> bool {
        let mut snapshot = Snapshot::clone(&self.sender.borrow());
        if self.retired.next().is_some_and(|first| first <= now) && (self.in_use.0)(&snapshot) {
            self.retired.postpone_due(now, now + self.grace);
        }
        let mut draft = Draft {
            snapshot: &mut snapshot,
            retired: &mut self.retired,
            gone: &mut self.gone,
            now,
            until: now + self.grace,
            moved: false,
        };
        change(&mut draft);
        draft.retire(now);
        let moved = draft.moved;
        if moved {
            snapshot.generation += 1;
            self.sender.send_replace(Arc::new(snapshot));
        }
        moved
    }

    /// The retired resources that were taken off since the last time.
    pub fn take_gone(&mut self) -> Vec<ResourceKey> {
        std::mem::take(&mut self.gone)
    }

    /// When the next retired resource is to be taken off.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.retired.next()
    }

    /// How many times something was published.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.sender.borrow().generation
    }

    /// What is published.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.sender.borrow())
    }
}

/// Changes that are being made.
#[derive(Debug)]
pub struct Draft<'p> {
    snapshot: &'p mut Snapshot,
    retired: &'p mut Deadlines<ResourceKey, Instant>,
    gone: &'p mut Vec<ResourceKey>,
    now: Instant,
    until: Instant,
    moved: bool,
}

impl Draft<'_> {
    /// The version of a resource as it stands in the draft.
    #[must_use]
    pub fn version(&self, kind: TypeUrl, name: &str) -> Option<Version> {
        let resource = self.snapshot.get(kind, name)?;
        Some(Arc::clone(resource.version()))
    }

    /// Adds or replaces a resource; equal content changes nothing.
    pub fn set(&mut self, kind: TypeUrl, name: &str, body: Vec<u8>) {
        self.put(kind, name, Resource::new(body));
    }

    /// The same, with a resource that was made already.
    pub fn put(&mut self, kind: TypeUrl, name: &str, resource: Resource) {
        let name: Arc<str> = name.into();
        self.retired.remove(&(kind, Arc::clone(&name)));
        let known = self.snapshot.get(kind, &name);
        if known.is_some_and(|old| old.content() == resource.content()) {
            return;
        }
        self.moved = true;
        let published = Arc::new(resource.published(self.now));
        self.snapshot.types[kind as usize].insert(name, published);
    }

    /// Has a resource sent again as it is, for that many times now.
    pub fn renew(&mut self, kind: TypeUrl, name: &str, count: u64) {
        let Some((name, resource)) = self.snapshot.of(kind).get_key_value(name) else {
            return;
        };
        let (name, renewed) = (Arc::clone(name), resource.renewed(count));
        self.moved |= renewed != **resource;
        self.snapshot.types[kind as usize].insert(name, Arc::new(renewed));
    }

    /// Removes a resource, now or after the grace.
    pub fn remove(&mut self, kind: TypeUrl, name: &str) {
        let Some((name, _)) = self.snapshot.of(kind).get_key_value(name) else {
            return;
        };
        let name = Arc::clone(name);
        if kind.lingers() {
            self.retired.add((kind, name), self.until);
        } else {
            self.moved = true;
            self.snapshot.types[kind as usize].remove(&name);
        }
    }

    /// From now on a name that a filter chain asks for has this Secret, or none.
    pub fn set_name(&mut self, chain: &Arc<str>, pattern: &Arc<str>, secret: Option<Arc<str>>) {
        self.moved |= self.snapshot.names.set(chain, pattern, secret);
    }

    /// From now on this may be of objects that could not be read.
    pub fn set_unjudged(&mut self, unjudged: Unjudged) {
        self.moved |= !self.snapshot.unjudged.is(&unjudged);
        self.snapshot.unjudged = unjudged;
    }

    /// Makes these the only resources of a kind.
    pub fn replace(&mut self, kind: TypeUrl, resources: impl IntoIterator<Item = (String, Resource)>) {
        let mut gone: BTreeSet<Arc<str>> = self.snapshot.names(kind).cloned().collect();
        for (name, resource) in resources {
            gone.remove(name.as_str());
            self.put(kind, &name, resource);
        }
        gone.iter().for_each(|name| self.remove(kind, name));
    }

    fn retire(&mut self, now: Instant) {
        while let Some((kind, name)) = self.retired.take_due(now) {
            self.moved |= self.snapshot.types[kind as usize].remove(&name).is_some();
            self.gone.push((kind, name));
        }
    }
}
