//! One watch: the library's stream of events, with complete lists (collected, then swapped) and delays after failures.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures::{Stream, StreamExt as _};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::super::health::{WatchState, Watched};

const SHORTEST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// A watch that lasted this long, and longer than the delay before it, has recovered from earlier failures.
const STEADY: Duration = Duration::from_secs(2);
/// What answers in place of the API server may send whole pages.
const LONGEST_MESSAGE: usize = 500;

/// What a watch reports.
#[derive(Debug)]
pub(super) enum Heard<T> {
    /// These exist, and no others.
    Listed(Vec<T>),
    /// One was added or changed.
    Applied(T),
    /// One was deleted.
    Deleted(T),
    /// Access is denied for now.
    Forbidden,
}

/// Delays that grow with each failure, with jitter.
pub(super) struct Delays {
    delays: ExponentialBackoff,
    /// The last delay, and when it ended.
    last: Option<(Duration, Instant)>,
}

impl Delays {
    pub(super) fn new() -> Self {
        Self {
            delays: fresh(),
            last: None,
        }
    }

    /// Waits after a failure.
    pub(super) async fn wait(&mut self) {
        let stood = self.last.map(|(delay, over)| (delay, over.elapsed()));
        if stood.is_some_and(|(delay, stood)| stood > delay.max(STEADY)) {
            self.delays = fresh();
        }
        let delay = self.delays.next().unwrap_or(LONGEST_DELAY);
        tokio::time::sleep(delay).await;
        self.last = Some((delay, Instant::now()));
    }
}

fn fresh() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(SHORTEST_DELAY)
        // The jitter at most doubles it.
        .with_max_delay(LONGEST_DELAY / 2)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Follows until the API server says that there is no such kind. `read` returns what matters about an object, if
/// anything; `tell` is no longer called after it returns that nobody listens.
///
/// After any failure, it starts again with a list: the library does not say when a watch continues, so only a list
/// shows that it has recovered; and the failure may be about the very version from which the watch would continue.
pub(super) async fn follow<K, T>(
    api: Api<K>,
    config: watcher::Config,
    watched: &Watched,
    read: impl Fn(K) -> Option<T>,
    mut tell: impl FnMut(Heard<T>) -> bool,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watched.set(WatchState::Listing, None);
    let mut delays = Delays::new();
    loop {
        let events = watcher(api.clone(), config.clone());
        let Some(error) = until_failure(events, watched, &read, &mut tell).await else {
            return;
        };
        match status(&error) {
            Some(404) => return,
            // The version was compacted away: the next list has the current state.
            Some(410) => watched.set(WatchState::Listing, None),
            _ => watched.set(WatchState::Failed, Some(describe(&error))),
        }
        if status(&error) == Some(403) && !tell(Heard::Forbidden) {
            return;
        }
        delays.wait().await;
    }
}

/// Passes on what comes; returns none once nobody listens.
async fn until_failure<K, T>(
    events: impl Stream<Item = watcher::Result<Event<K>>>,
    watched: &Watched,
    read: impl Fn(K) -> Option<T>,
    mut tell: impl FnMut(Heard<T>) -> bool,
) -> Option<watcher::Error> {
    let mut events = pin!(events);
    let mut listing = Vec::new();
    while let Some(event) = events.next().await {
        let listens = match event {
            Ok(Event::Init) => {
                listing.clear();
                true
            }
            Ok(Event::InitApply(object)) => {
                listing.extend(read(object));
                true
            }
            Ok(Event::InitDone) => {
                let listens = tell(Heard::Listed(std::mem::take(&mut listing)));
                watched.set(WatchState::Following, None);
                listens
            }
            Ok(Event::Apply(object)) => read(object).is_none_or(|object| tell(Heard::Applied(object))),
            Ok(Event::Delete(object)) => read(object).is_none_or(|object| tell(Heard::Deleted(object))),
            Err(error) => return Some(error),
        };
        if !listens {
            return None;
        }
    }
    None
}

/// The API server's status code, if the error is from the API server.
fn status(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => code(error),
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::NoResourceVersion => None,
    }
}

pub(super) fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// The API server's message, which names verb, resource and namespace; otherwise, the library's message with its cause.
fn describe(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => explain(error),
        watcher::Error::WatchError(status) => shorten(&status.message),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

pub(super) fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => return shorten(&status.message),
        // The library quotes what it cannot read, which may be a Secret.
        kube::Error::SerdeError(error) => {
            let (line, column) = (error.line(), error.column());
            return format!("the API server's answer cannot be read (line {line}, column {column})");
        }
        _ => {}
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    shorten(&text)
}

fn shorten(text: &str) -> String {
    text.chars().take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        let error = serde_json::from_str::<Vec<u8>>("\"c2VjcmV0\"").unwrap_err();
        let text = explain(&kube::Error::SerdeError(error));
        assert!(!text.contains("c2VjcmV0") && text.contains("column"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn delays_grow_to_a_limit_and_begin_anew_after_a_steady_time() {
        let mut delays = Delays::new();
        let mut waited = Vec::new();
        for _ in 0..12 {
            let before = Instant::now();
            delays.wait().await;
            waited.push(before.elapsed());
        }
        let (first, last) = (waited.first().unwrap(), waited.last().unwrap());
        assert!(*first <= 3 * SHORTEST_DELAY, "{first:?}");
        assert!(
            *last >= LONGEST_DELAY / 2 && *last <= LONGEST_DELAY + SHORTEST_DELAY,
            "{last:?}"
        );
        tokio::time::advance(2 * LONGEST_DELAY).await;
        let before = Instant::now();
        delays.wait().await;
        assert!(before.elapsed() <= 3 * SHORTEST_DELAY);
    }
}
