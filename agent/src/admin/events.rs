//! `/api/events`: says when there is something else to be read, and nothing of what it is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::objects::History;
use crate::engine::View;
use crate::shared::Shared;

/// Whoever looks sees a change so late at most; nothing that happens often tells of itself.
const PAUSE: Duration = Duration::from_millis(300);
/// After this long a stream ends, and another one begins: a connection that is cut off would look like a fault.
const LONGEST: Duration = Duration::from_secs(50);
/// After this long the other one begins.
const RETRY: Duration = Duration::from_millis(500);
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
    ) -> Option<impl IntoResponse + use<>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
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
            Some((Ok::<_, Infallible>(event), watch))
        });
        let changes = changes.take_until(over(self.stopped.clone()));
        let stream = Sse::new(changes).keep_alive(KeepAlive::default());
        // The next stream has a whole connection's time.
        Some(([(header::CONNECTION, "close")], stream))
    }
}

/// Ends with the agent, else whoever stops it would wait for the page to be closed; or after [`LONGEST`].
async fn over(mut stopped: watch::Receiver<bool>) {
    drop(timeout(LONGEST, stopped.wait_for(|stopped| *stopped)).await);
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
                return Event::default()
                    .retry(RETRY)
                    .event("change")
                    .data(data.to_string());
            }
            sleep(PAUSE).await;
        }
    }

    fn now(&mut self) -> ToldState {
        let (view, is_new) = {
            // Both at once: what comes in between is new the next time.
            let view = self.views.borrow_and_update();
            (Arc::clone(&view), view.has_changed())
        };
        self.seen += u64::from(is_new);
        ToldState {
            objects: self.history.number(&view),
            proxies: self.shared.stamp(),
            seen: self.seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_before_its_connection_is_cut_off_and_with_the_agent() {
        let (stop, stopped) = watch::channel(false);
        let began = Instant::now();
        over(stopped.clone()).await;
        assert_eq!(began.elapsed().as_secs(), LONGEST.as_secs());
        assert!(LONGEST + RETRY < crate::admin::connections::LONGEST);
        stop.send_replace(true);
        let began = Instant::now();
        over(stopped).await;
        assert!(began.elapsed() < RETRY);
    }
}
