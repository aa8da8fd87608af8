//! One resource: its content, and the version that stands for it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

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

    /// The same, published now.
    pub(super) fn published(self, now: Instant) -> Self {
        Self { since: now, ..self }
    }

    /// The same content under another version, so that it is sent again.
    pub(super) fn renewed(&self, count: u64) -> Self {
        let content = self.content();
        Self::of(
            format!("{content}{RENEWED}{count}"),
            self.encoded_len,
            Arc::clone(&self.body),
        )
    }

    /// The version without how many times it was sent again.
    pub(super) fn content(&self) -> &str {
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
