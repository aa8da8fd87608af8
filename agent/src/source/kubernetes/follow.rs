//! One watch: the library's stream of events, made whole (collect, then swap) and slowed down where it fails.

use std::fmt::Debug;
use std::pin::pin;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures::StreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::super::health::{WatchState, Watched};

const SHORTEST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// A watch that stood this long has nothing to do with the failures before it.
const STEADY: Duration = Duration::from_secs(30);

/// What a watch says.
#[derive(Debug)]
pub(super) enum Told<T> {
    /// These exist and no others.
    Listed(Vec<T>),
    /// One was added or changed.
    Applied(T),
    /// One is gone.
    Deleted(T),
    /// It may not be read for now.
    Forbidden,
}

/// Delays that grow with each failure, each a bit different from anyone else's.
pub(super) struct Delays {
    delays: ExponentialBackoff,
    last: Option<Instant>,
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
        if self
            .last
            .is_some_and(|last| last.elapsed() > STEADY + LONGEST_DELAY)
        {
            self.delays = fresh();
        }
        self.last = Some(Instant::now());
        tokio::time::sleep(self.delays.next().unwrap_or(LONGEST_DELAY)).await;
    }
}

fn fresh() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(SHORTEST_DELAY)
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Follows until the API server says that there is no such kind. `read` says what matters of an object, if it
/// matters at all; `tell` is not called any more once it answers that nobody listens.
pub(super) async fn follow<K, T>(
    api: Api<K>,
    config: watcher::Config,
    watched: &Watched,
    read: impl Fn(K) -> Option<T>,
    mut tell: impl FnMut(Told<T>) -> bool,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watched.set(WatchState::Listing, None);
    let mut stream = pin!(watcher(api, config));
    let mut listing = Vec::new();
    let mut delays = Delays::new();
    while let Some(event) = stream.next().await {
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
                watched.set(WatchState::Following, None);
                tell(Told::Listed(std::mem::take(&mut listing)))
            }
            Ok(Event::Apply(object)) => {
                watched.set(WatchState::Following, None);
                read(object).is_none_or(|object| tell(Told::Applied(object)))
            }
            Ok(Event::Delete(object)) => {
                watched.set(WatchState::Following, None);
                read(object).is_none_or(|object| tell(Told::Deleted(object)))
            }
            Err(error) if status(&error) == Some(404) => return,
            Err(error) => {
                // The version was compacted away: the next list says what there is.
                if status(&error) != Some(410) {
                    watched.set(WatchState::Failed, Some(describe(&error)));
                }
                let listens = status(&error) != Some(403) || tell(Told::Forbidden);
                delays.wait().await;
                listens
            }
        };
        if !listens {
            return;
        }
    }
}

/// The API server's status code, where it is the API server that spoke.
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

/// The API server's own words, which name verb, resource and namespace; else what the library says, with its cause.
fn describe(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => explain(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

pub(super) fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
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
    text
}
