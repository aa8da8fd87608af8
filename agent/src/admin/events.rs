//! `/api/events`: says when there is something else to be read, and nothing of what it is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt as _, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::sleep;

use super::objects::History;
use crate::engine::View;
use crate::shared::Shared;

/// Whoever looks sees a change so late at most; nothing that happens often tells of itself.
const PAUSE: Duration = Duration::from_millis(300);
/// Each holds a connection for as long as a page is open.
pub(super) const MOST: usize = 8;

/// Places for those who listen.
#[derive(Clone, Debug)]
pub(super) struct Listeners {
    places: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl Listeners {
    pub(super) fn new(stopped: watch::Receiver<bool>) -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            stopped,
        }
    }

    /// What happens from now on; none if too many listen.
    pub(super) fn listen(
        &self,
        shared: Arc<Shared>,
        history: Arc<History>,
    ) -> Option<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut stopped = self.stopped.clone();
        let start = PageWatch {
            views: shared.follow(),
            shared,
            history,
            seen: 0,
            told: None,
            _place: place,
        };
        let changes = stream::unfold(start, |mut watch| async move {
            let event = watch.next().await;
            Some((Ok(event), watch))
        });
        // Else whoever stops the agent would wait for the page to be closed.
        let until = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
        Some(Sse::new(changes.take_until(until)).keep_alive(KeepAlive::default()))
    }
}

/// What one page was told.
struct PageWatch {
    shared: Arc<Shared>,
    history: Arc<History>,
    views: watch::Receiver<Arc<View>>,
    /// How many views there were.
    seen: u64,
    told: Option<ToldState>,
    _place: OwnedSemaphorePermit,
}

/// What stands for all that can be read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ToldState {
    objects: u64,
    proxies: u64,
    seen: u64,
}

impl PageWatch {
    async fn next(&mut self) -> Event {
        loop {
            let now = self.now();
            if self.told != Some(now) {
                self.told = Some(now);
                // A number of JavaScript's does not hold a whole stamp.
                let status = format!("{:x}-{}", now.proxies, now.seen);
                let data = json!({ "objects": now.objects, "status": status });
                return Event::default().event("change").data(data.to_string());
            }
            sleep(PAUSE).await;
        }
    }

    fn now(&mut self) -> ToldState {
        if self.views.has_changed().unwrap_or_default() {
            self.seen += 1;
        }
        let view = Arc::clone(&self.views.borrow_and_update());
        ToldState {
            objects: self.history.number(&view),
            proxies: self.shared.stamp(),
            seen: self.seen,
        }
    }
}
