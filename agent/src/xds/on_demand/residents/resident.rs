//! One name that a proxy holds, and what its stream is told of it.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use super::words::{Word, Words};
use crate::snapshot::{Resource, Version};

/// A name on a stream.
pub(in super::super) type Id = u64;

/// A filter chain of a proxy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct ProxyChain {
    pub(in super::super) node: Arc<str>,
    pub(in super::super) chain: Arc<str>,
}

/// Who asks, and how it is told that there is an answer.
#[derive(Clone, Debug)]
pub(in super::super) struct Asker {
    pub(in super::super) place: Arc<ProxyChain>,
    pub(in super::super) wake: Arc<Notify>,
}

/// What a stream is told, under the name as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum SecretAnswer {
    Secret(Arc<str>, Arc<Resource>),
    Removed(Vec<u8>),
}

/// A name that a proxy holds, or is about to.
#[derive(Debug)]
pub(super) struct Resident {
    pub(super) place: Arc<ProxyChain>,
    pub(super) wake: Arc<Notify>,
    pub(super) wire: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) pattern: Arc<str>,
    pub(super) secret: Arc<str>,
    pub(super) due: Instant,
    /// The last answer, and its nonce.
    pub(super) sent: Option<(u64, Version)>,
    /// There is something to be sent.
    pub(super) pending: bool,
    pub(super) word: Word,
    /// The proxy has a version that it took, and serves on with it whatever it refuses.
    pub(super) has_good: bool,
}

impl Resident {
    /// There is something to be sent; until the proxy has taken it, it has not taken its Secret.
    pub(super) fn wait(&mut self, words: &mut Words) {
        let pushed = self.sent.is_some();
        words.wait(&self.place.node, &self.secret, self.word, pushed);
        (self.word, self.pending) = (Word::Waiting, true);
    }

    /// Takes the proxy's word on an answer, and says which version that was of; none if it is not the last answer's.
    pub(super) fn acknowledge(&mut self, nonce: u64, is_refused: bool) -> Option<Version> {
        let (_, version) = self.sent.as_ref().filter(|(own, _)| *own == nonce)?;
        let version = Arc::clone(version);
        self.has_good |= !is_refused;
        Some(version)
    }
}
