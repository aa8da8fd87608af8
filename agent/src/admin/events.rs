//! `/api/events`: signals that something has changed, but not what.

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

/// How often changes are looked for: frequent changes must not each cause an event.
const PAUSE: Duration = Duration::from_millis(300);
/// A stream ends after this time, and the browser opens another one: a connection that is cut off would look like a
/// fault.
const LONGEST: Duration = Duration::from_secs(50);
/// The time until the browser opens the next stream.
const RETRY: Duration = Duration::from_millis(500);
/// The maximum number of streams: each holds a connection while its page is open.
pub(super) const MOST: usize = 8;

/// The places for open streams.
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

    /// A stream of the changes from now on; none if there are too many already.
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
        // The next stream gets a new connection, which lives for the full time.
        Some(([(header::CONNECTION, "close")], stream))
    }
}

/// Ends when the agent stops, which would otherwise wait for pages to be closed; or after [`LONGEST`].
async fn over(mut stopped: watch::Receiver<bool>) {
    drop(timeout(LONGEST, stopped.wait_for(|stopped| *stopped)).await);
}

/// What one page has been told.
struct PageWatch {
    shared: Arc<Shared>,
    history: Arc<History>,
    views: watch::Receiver<Arc<View>>,
    /// The number of views so far.
    seen: u64,
    told: Option<ToldState>,
    _place: OwnedSemaphorePermit,
}

/// A fingerprint of everything that a page can read.
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
                // A JavaScript number is too small for a stamp.
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
            // In one step, so that no change in between is missed.
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
