//! What the engine asks: a clock, the proxies, and the source.

use std::fmt;

use time::OffsetDateTime;

use crate::news::Lists;
use crate::snapshot::{ResourceKey, Snapshot};
use crate::trial::Reception;

/// The clock for checking dates.
pub(super) struct Clock(pub(super) Box<Told>);

/// The function of a [`Clock`].
type Told = dyn Fn() -> OffsetDateTime + Send + Sync;

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Whether connected proxies have accepted a resource of a snapshot.
pub(super) struct AskProxies {
    pub(super) ask: Box<Asked>,
    /// Whether there are proxies to ask.
    pub(super) is_set: bool,
    /// Whether proxies are connected, and none of them has resources from a previous agent.
    pub(super) are_fresh: Box<dyn Fn() -> bool + Send + Sync>,
}

/// The function of [`AskProxies`].
type Asked = dyn Fn(&ResourceKey, &Snapshot) -> Reception + Send + Sync;

impl Default for AskProxies {
    fn default() -> Self {
        Self {
            ask: Box::new(|_, _| Reception::Pending),
            is_set: false,
            are_fresh: Box::new(|| true),
        }
    }
}

impl fmt::Debug for AskProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskProxies")
    }
}

/// How complete the source's lists are.
pub(super) struct AskSource(pub(super) Box<dyn Fn() -> Lists + Send + Sync>);

impl Default for AskSource {
    fn default() -> Self {
        Self(Box::new(|| Lists::Complete))
    }
}

impl fmt::Debug for AskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskSource")
    }
}
