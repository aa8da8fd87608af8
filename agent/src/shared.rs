//! What the admin interface reads, without a lock that an event needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::admin::status::Status;
use crate::engine::View;
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
}

impl Shared {
    /// Shares what the engine shows.
    #[must_use]
    pub fn new(views: watch::Receiver<Arc<View>>, proxies: Proxies, health: Health) -> Self {
        Self {
            views,
            proxies,
            health,
            accepts: Arc::default(),
        }
    }

    /// The socket accepts now.
    pub fn accepts(&self) {
        self.accepts.store(true, Ordering::Release);
    }

    /// Whether proxies get what they ask for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.accepts.load(Ordering::Acquire) && self.views.borrow().synced
    }

    /// Everything, for people and programs.
    #[must_use]
    pub fn status(&self) -> Status {
        let view = Arc::clone(&self.views.borrow());
        report::status(&view, &self.proxies, &self.health)
    }
}
