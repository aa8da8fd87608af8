//! What the admin interface reads, without a lock that an event needs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::admin::status::Status;
use crate::engine::View;
use crate::questions::EngineAsker;
use crate::report;
use crate::source::health::Health;
use crate::xds::proxies::Proxies;

/// Clones share it.
#[derive(Clone, Debug)]
pub struct Shared {
    views: watch::Receiver<Arc<View>>,
    proxies: Proxies,
    health: Health,
    accepts: Arc<AtomicBool>,
    asker: EngineAsker,
}

impl Shared {
    /// Shares what the engine shows.
    #[must_use]
    pub fn new(
        views: watch::Receiver<Arc<View>>,
        proxies: Proxies,
        health: Health,
        asker: EngineAsker,
    ) -> Self {
        Self {
            views,
            proxies,
            health,
            accepts: Arc::default(),
            asker,
        }
    }

    /// The socket accepts now.
    pub fn accepts(&self) {
        self.accepts.store(true, Ordering::Release);
    }

    /// Whether proxies get what they ask for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.accepts.load(Ordering::Acquire) && self.is_synced()
    }

    /// Whether the source's first lists are complete.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.views.borrow().synced
    }

    /// Where the engine is asked.
    #[must_use]
    pub fn asker(&self) -> &EngineAsker {
        &self.asker
    }

    /// What the engine shows now.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.views.borrow())
    }

    /// Whoever waits on it learns of what the engine shows.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// Another number once something else is known of proxies or of the source: cheap, for whoever asks often.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.proxies.stamp().hash(&mut hasher);
        self.health.is_up().hash(&mut hasher);
        for (name, watch) in self.health.watches() {
            (name, watch.state.as_str(), watch.failures).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Everything, for people and programs.
    #[must_use]
    pub fn status(&self) -> Status {
        let view = Arc::clone(&self.views.borrow());
        report::status(&view, &self.proxies, &self.health)
    }
}
