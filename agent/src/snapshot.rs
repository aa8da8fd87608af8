//! What is served now. One [`Publisher`] makes [`Snapshot`]s, readers hold a `watch::Receiver`. The maps are
//! persistent: a snapshot shares everything with the one before it but what changed, and the difference of two is
//! found without looking at what they share.

mod names;
mod unjudged;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use zeroize::Zeroizing;

pub use self::names::{CHAIN_HEADER, NO_SNI, OnDemandNames};
pub use self::unjudged::{MayBeOf, Unjudged};

use crate::deadlines::Deadlines;

/// The kinds of resources, in the order in which a proxy must get them: what is referred to comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TypeUrl {
    /// CDS.
    Cluster,
    /// EDS.
    Endpoint,
    /// SDS.
    Secret,
    /// ECDS: the filter's configuration.
    ExtensionConfig,
    /// LDS.
    Listener,
}

impl TypeUrl {
    /// All, in order.
    pub const ALL: [Self; 5] = [
        Self::Cluster,
        Self::Endpoint,
        Self::Secret,
        Self::ExtensionConfig,
        Self::Listener,
    ];

    /// As it is on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::ExtensionConfig => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
        }
    }

    /// The kind of this URL, if it is one that is served.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == url)
    }

    /// A short name for people.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Endpoint => "ClusterLoadAssignment",
            Self::Secret => "Secret",
            Self::ExtensionConfig => "TypedExtensionConfig",
            Self::Listener => "Listener",
        }
    }

    /// Whether a proxy may go on naming a resource for a while after it is gone.
    fn lingers(self) -> bool {
        matches!(self, Self::Cluster | Self::Endpoint)
    }
}

/// Between a version and how many times it was sent again.
const RENEWED: char = '+';

/// A hash of the content.
pub type Version = Arc<str>;

/// What encodes itself whenever it is sent, so that its content is held once.
pub trait Body: Send + Sync {
    /// Gives the encoded message, part by part.
    fn encode(&self, sink: &mut dyn FnMut(&[u8]));
}

impl Body for Zeroizing<Vec<u8>> {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(self);
    }
}

/// One resource. It may hold a private key: `Debug` elides it, and what it is made of is zeroized on drop.
pub struct Resource {
    version: Version,
    encoded_len: usize,
    body: Arc<dyn Body>,
    /// When it was published; until then, when it was made.
    since: Instant,
}

impl Resource {
    /// A resource of this content, encoded.
    #[must_use]
    pub fn new(body: Vec<u8>) -> Self {
        Self::encoded_later(Arc::new(Zeroizing::new(body)))
    }

    /// A resource of this content, of whose encoded form only the hash and the length are kept.
    #[must_use]
    pub fn encoded_later(body: Arc<dyn Body>) -> Self {
        let mut measure = Measure::default();
        body.encode(&mut |part| measure.take(part));
        measure.resource(body)
    }

    /// A resource of this content, whose hash is `version`.
    #[must_use]
    pub fn of(version: String, encoded_len: usize, body: Arc<dyn Body>) -> Self {
        Self {
            version: version.into(),
            encoded_len,
            body,
            since: Instant::now(),
        }
    }

    /// The content's hash.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// When it was published in this version.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.since
    }

    /// The same content under another version, so that it is sent again.
    fn renewed(&self, count: u64) -> Self {
        let content = self.content();
        Self::of(
            format!("{content}{RENEWED}{count}"),
            self.encoded_len,
            Arc::clone(&self.body),
        )
    }

    /// The version without how many times it was sent again.
    fn content(&self) -> &str {
        let renewed = self.version.split_once(RENEWED);
        renewed.map_or(&*self.version, |(content, _)| content)
    }

    /// How long the encoded message is.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.encoded_len
    }

    /// Appends the encoded message; a Secret's is without its name.
    pub fn append_to(&self, message: &mut Vec<u8>) {
        self.body.encode(&mut |part| message.extend_from_slice(part));
    }

    /// The encoded message.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut message = Vec::new();
        self.append_to(&mut message);
        message
    }
}

/// What is kept of an encoded form: for those who encode it for the first time themselves, because they have more to do
/// with its parts.
#[derive(Debug, Default)]
pub struct Measure {
    hash: Sha256,
    encoded_len: usize,
}

impl Measure {
    /// The next part.
    pub fn take(&mut self, part: &[u8]) {
        self.hash.update(part);
        self.encoded_len += part.len();
    }

    /// The resource whose parts these were.
    #[must_use]
    pub fn resource(self, body: Arc<dyn Body>) -> Resource {
        let hash = self.hash.finalize();
        let version = crate::credential::hex(hash.get(..16).unwrap_or_default());
        Resource::of(version, self.encoded_len, body)
    }
}

/// The hash of the content stands for it.
impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for Resource {}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Names a resource.
pub type ResourceKey = (TypeUrl, Arc<str>);
type Resources = OrdMap<Arc<str>, Arc<Resource>>;

/// Everything that is served, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    generation: u64,
    types: [Resources; TypeUrl::ALL.len()],
    names: OnDemandNames,
    unjudged: Unjudged,
}

impl Snapshot {
    /// Counts publications.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// One resource.
    #[must_use]
    pub fn get(&self, kind: TypeUrl, name: &str) -> Option<&Arc<Resource>> {
        self.of(kind).get(name)
    }

    /// The resources of this kind alone: for who compares with it later, and must not keep the private keys that were served
    /// then.
    #[must_use]
    pub fn only(&self, kind: TypeUrl) -> Self {
        let mut only = Self::default();
        only.types[kind as usize] = self.of(kind).clone();
        only
    }

    /// The names of a kind, in order.
    pub fn names(&self, kind: TypeUrl) -> impl Iterator<Item = &Arc<str>> {
        self.of(kind).keys()
    }

    /// The names of a kind whose resources differ between `before` and this.
    #[must_use]
    pub fn changed_since(&self, before: &Self, kind: TypeUrl) -> Vec<Arc<str>> {
        let changes = before.of(kind).diff(self.of(kind));
        changes
            .map(|item| match item {
                DiffItem::Add(name, _) | DiffItem::Remove(name, _) => Arc::clone(name),
                DiffItem::Update { new: (name, _), .. } => Arc::clone(name),
            })
            .collect()
    }

    /// The names that are given on demand.
    #[must_use]
    pub fn on_demand(&self) -> &OnDemandNames {
        &self.names
    }

    /// Whether a proxy that has a resource of this name from an agent before this one is to keep it as it is.
    #[must_use]
    pub fn is_unjudged(&self, kind: TypeUrl, name: &str) -> bool {
        self.unjudged.has(kind, name, self.get(kind, name).is_some())
    }

    /// What may be of objects that could not be read.
    #[must_use]
    pub fn unjudged(&self) -> &Unjudged {
        &self.unjudged
    }

    fn of(&self, kind: TypeUrl) -> &Resources {
        &self.types[kind as usize]
    }
}

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
        Some(Arc::clone(&resource.version))
    }

    /// Adds or replaces a resource; equal content changes nothing.
    pub fn set(&mut self, kind: TypeUrl, name: &str, body: Vec<u8>) {
        self.put(kind, name, Resource::new(body));
    }

    /// The same, with a resource that was made already.
    pub fn put(&mut self, kind: TypeUrl, name: &str, mut resource: Resource) {
        let name: Arc<str> = name.into();
        self.retired.remove(&(kind, Arc::clone(&name)));
        let known = self.snapshot.get(kind, &name);
        if known.is_some_and(|old| old.content() == resource.content()) {
            return;
        }
        self.moved = true;
        resource.since = self.now;
        self.snapshot.types[kind as usize].insert(name, Arc::new(resource));
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

#[cfg(test)]
mod tests;
