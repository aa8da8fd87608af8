//! The health of a source: written by the source, read by `admin` and by those that wait for the first list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::news::Lists;

/// The state of one watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// Its first list is being read.
    Listing,
    /// It is being followed.
    Following,
    /// It cannot be read for now; what is known about it is kept.
    Failed,
    /// The API server does not serve this kind.
    Missing,
}

impl WatchState {
    /// Its name in `/api/status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Following => "following",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

/// The state of one watch, and its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchHealth {
    /// Its state.
    pub state: WatchState,
    /// The reason for a bad state.
    pub message: Option<String>,
    /// Since when.
    pub since: OffsetDateTime,
    /// How often it has failed.
    pub failures: u64,
}

/// A part of a source with separate first lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListedPart {
    /// The pods that subsets need.
    Pods,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether everything except the parts is listed.
    listed: bool,
    /// Parts that are not listed.
    parts: BTreeSet<ListedPart>,
    watches: BTreeMap<String, WatchHealth>,
}

impl Inner {
    fn is_listed(&self) -> bool {
        self.listed && self.parts.is_empty()
    }
}

/// The registry; clones share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<Inner>>);

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Inner::default())))
    }
}

impl Health {
    /// Notes that the first lists are complete, except those of parts.
    pub fn set_listed(&self) {
        self.0.send_modify(|inner| inner.listed = true);
    }

    /// Makes the first lists wait for those of this part.
    pub fn expect(&self, part: ListedPart) {
        self.0.send_if_modified(|inner| inner.parts.insert(part));
    }

    /// Notes that the lists of this part are complete.
    pub fn complete(&self, part: ListedPart) {
        self.0.send_if_modified(|inner| inner.parts.remove(&part));
    }

    /// Whether the first lists are complete.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.0.borrow().is_listed()
    }

    /// How complete the lists are.
    #[must_use]
    pub fn lists(&self) -> Lists {
        let inner = self.0.borrow();
        let mut states = inner.watches.values().map(|watch| watch.state);
        if !inner.is_listed() {
            Lists::First
        } else if states.any(|state| state == WatchState::Listing) {
            Lists::UnderWay
        } else {
            Lists::Complete
        }
    }

    /// Waits until the first lists are complete.
    pub async fn listed(&self) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().wait_for(Inner::is_listed).await;
    }

    /// Whether the first lists are complete, and everything is being followed.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let inner = self.0.borrow();
        inner.is_listed()
            && inner
                .watches
                .values()
                .all(|watch| watch.state != WatchState::Failed)
    }

    /// Every watch, by name.
    #[must_use]
    pub fn watches(&self) -> BTreeMap<String, WatchHealth> {
        self.0.borrow().watches.clone()
    }

    /// A watch of this name, for as long as the returned value lives.
    #[must_use]
    pub fn watch(&self, name: impl Into<String>) -> Watched {
        Watched {
            name: name.into(),
            health: self.clone(),
        }
    }

    fn set(&self, name: &str, state: WatchState, message: Option<String>) {
        let mut watch = WatchHealth {
            state,
            message,
            since: OffsetDateTime::now_utc(),
            failures: 0,
        };
        let mut before = None;
        // Another failure of the same kind must not wake those that wait.
        let moved = self.0.send_if_modified(|inner| {
            before = inner.watches.get(name).cloned();
            let failures = before.as_ref().map_or(0, |before| before.failures);
            watch.failures = failures + u64::from(state == WatchState::Failed);
            if let Some(same) = before.as_ref().filter(|before| before.state == state) {
                watch.since = same.since;
            }
            inner.watches.insert(name.to_owned(), watch.clone());
            before
                .as_ref()
                .is_none_or(|before| (before.state, &before.message) != (watch.state, &watch.message))
        });
        if moved {
            say(name, before.map(|before| before.state), &watch);
        }
    }

    fn remove(&self, name: &str) {
        self.0
            .send_if_modified(|inner| inner.watches.remove(name).is_some());
    }
}

/// A watch that is listed as long as this value lives.
#[derive(Debug)]
pub struct Watched {
    name: String,
    health: Health,
}

impl Watched {
    /// Notes its state, and logs it if it is new.
    pub fn set(&self, state: WatchState, message: Option<String>) {
        self.health.set(&self.name, state, message);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.health.remove(&self.name);
    }
}

fn say(name: &str, before: Option<WatchState>, watch: &WatchHealth) {
    let message = watch.message.as_deref().unwrap_or_default();
    match watch.state {
        WatchState::Failed => {
            tracing::error!(watch = name, "watch failed, keeping the known objects: {message}")
        }
        WatchState::Missing => tracing::warn!(watch = name, "{message}"),
        WatchState::Following if before == Some(WatchState::Failed) => {
            tracing::info!(watch = name, "watch works again")
        }
        WatchState::Following | WatchState::Listing => {
            tracing::debug!(watch = name, state = watch.state.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_is_up_once_listed_and_while_nothing_fails() {
        let health = Health::default();
        let (gateway, entry) = (health.watch("Gateway"), health.watch("ServiceEntry"));
        gateway.set(WatchState::Following, None);
        assert!(!health.is_up());
        assert_eq!(health.lists(), Lists::First);
        entry.set(WatchState::Listing, None);
        health.set_listed();
        assert_eq!(health.lists(), Lists::UnderWay);
        health.listed().await;
        entry.set(WatchState::Missing, Some("no such kind".to_owned()));
        assert!(health.is_up());
        gateway.set(WatchState::Failed, Some("403".to_owned()));
        assert!(!health.is_up() && health.is_listed());
        assert_eq!(health.lists(), Lists::Complete, "what failed is not under way");
        gateway.set(WatchState::Failed, Some("403".to_owned()));
        gateway.set(WatchState::Following, None);
        assert!(health.is_up());
        assert_eq!(health.watches()["Gateway"].failures, 2, "each attempt counts");
        gateway.set(WatchState::Failed, Some("403".to_owned()));
        drop(gateway);
        assert!(health.is_up());
    }
}
