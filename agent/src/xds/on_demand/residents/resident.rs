//! One name that a proxy has, and what its stream sends about it.

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

/// The stream that asks, and how to wake it when there is an answer.
#[derive(Clone, Debug)]
pub(in super::super) struct Asker {
    pub(in super::super) place: Arc<ProxyChain>,
    pub(in super::super) wake: Arc<Notify>,
}

/// What a stream sends, under the name as it was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum SecretAnswer {
    Secret(Arc<str>, Arc<Resource>),
    Removed(Vec<u8>),
}

/// A name that a proxy has, or is about to.
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
    /// Whether there is something to be sent.
    pub(super) pending: bool,
    pub(super) word: Word,
    /// Whether the proxy has accepted a version, which it continues to serve even if it rejects another.
    pub(super) has_good: bool,
}

impl Resident {
    /// Notes that there is something to be sent; until the proxy has accepted it, it has not accepted its Secret.
    pub(super) fn wait(&mut self, words: &mut Words) {
        let pushed = self.sent.is_some();
        words.wait(&self.place.node, &self.secret, self.word, pushed);
        (self.word, self.pending) = (Word::Waiting, true);
    }

    /// Takes the proxy's acknowledgement of an answer, and returns its version; none if it is not for the last answer.
    pub(super) fn acknowledge(&mut self, nonce: u64, is_refused: bool) -> Option<Version> {
        let (_, version) = self.sent.as_ref().filter(|(own, _)| *own == nonce)?;
        let version = Arc::clone(version);
        self.has_good |= !is_refused;
        Some(version)
    }
}
