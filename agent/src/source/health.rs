//! How a source is doing: written by the source, read by `admin` and by whoever waits for the first list.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// The state of one watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchState {
    /// Its first list is on its way.
    Listing,
    /// It is followed.
    Following,
    /// It cannot be read for now; what is known of it is held.
    Failed,
    /// The API server does not serve this kind.
    Missing,
}

impl WatchState {
    /// The word of `/api/status`.
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

/// One watch as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchHealth {
    /// Where it stands.
    pub state: WatchState,
    /// Why it stands there, where that is not good.
    pub message: Option<String>,
    /// How often it has failed.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct Inner {
    listed: bool,
    watches: BTreeMap<String, WatchHealth>,
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
    /// The first lists are complete.
    pub fn set_listed(&self) {
        self.0.send_modify(|inner| inner.listed = true);
    }

    /// Whether the first lists are complete.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.0.borrow().listed
    }

    /// Waits until the first lists are complete.
    pub async fn listed(&self) {
        // The sender lives in `self`.
        let _ = self.0.subscribe().wait_for(|inner| inner.listed).await;
    }

    /// Whether the first lists are complete, and everything is followed since.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let inner = self.0.borrow();
        inner.listed
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
            failures: 0,
        };
        let mut before = None;
        // Whoever waits is not woken by the next failure of the same kind.
        let moved = self.0.send_if_modified(|inner| {
            before = inner.watches.get(name).cloned();
            let failures = before.as_ref().map_or(0, |before| before.failures);
            watch.failures = failures + u64::from(state == WatchState::Failed);
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

/// A watch that is listed while this lives.
#[derive(Debug)]
pub struct Watched {
    name: String,
    health: Health,
}

impl Watched {
    /// Notes where it stands, and says it in the log if it is new.
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
        WatchState::Failed => tracing::error!(
            watch = name,
            "cannot be followed, what is known is held: {message}"
        ),
        WatchState::Missing => tracing::warn!(watch = name, "{message}"),
        WatchState::Following if before == Some(WatchState::Failed) => {
            tracing::info!(watch = name, "followed again")
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
        health.set_listed();
        health.listed().await;
        entry.set(WatchState::Missing, Some("no such kind".to_owned()));
        assert!(health.is_up());
        gateway.set(WatchState::Failed, Some("403".to_owned()));
        assert!(!health.is_up() && health.is_listed());
        gateway.set(WatchState::Failed, Some("403".to_owned()));
        gateway.set(WatchState::Following, None);
        assert!(health.is_up());
        assert_eq!(health.watches()["Gateway"].failures, 2, "each attempt counts");
        gateway.set(WatchState::Failed, Some("403".to_owned()));
        drop(gateway);
        assert!(health.is_up());
    }
}
