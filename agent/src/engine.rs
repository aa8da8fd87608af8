//! Joins the parts in the one direction: source, state, translate, snapshot. `admin` reads it through [`Shared`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::admin::status::Status;
use crate::credential::{CredentialName, Policy};
use crate::object::{Finding, Severity};
use crate::report;
use crate::snapshot::{Publisher, Snapshot};
use crate::source::SourceEvent;
use crate::state::State;
use crate::translate::{self, Bound, Settings};
use crate::xds::proxies::Proxies;

/// Clusters and endpoints that are gone are served for this long: requests in flight may still name them.
const GRACE: Duration = Duration::from_secs(10);

/// When a credential's served version was published.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// For durations.
    pub at: Instant,
    /// For people.
    pub time: OffsetDateTime,
}

/// See the module.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    state: State,
    bound: Bound,
    /// The credentials that `bound` names.
    referenced: BTreeSet<CredentialName>,
    publisher: Publisher,
    rotations: BTreeMap<CredentialName, Rotation>,
    synced: bool,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (publisher, snapshots) = Publisher::new(GRACE);
        let policy = Policy {
            strict_names: settings.gateway.strict_names,
            refuse_expired: settings.gateway.refuse_expired,
            now: OffsetDateTime::now_utc(),
        };
        let engine = Self {
            settings,
            state: State::new(policy),
            bound: Bound::default(),
            referenced: BTreeSet::new(),
            publisher,
            rotations: BTreeMap::new(),
            synced: false,
        };
        (engine, snapshots)
    }

    /// Takes everything that waits as one change, and publishes what moved.
    pub fn apply(&mut self, events: impl IntoIterator<Item = SourceEvent>, now: Instant) {
        let mut credentials = BTreeSet::new();
        let mut objects = false;
        for event in events {
            self.synced |= matches!(event, SourceEvent::Reset(_));
            let changes = self.state.apply(event);
            credentials.extend(changes.credentials);
            objects |= changes.objects;
        }
        // What is said of a server follows whether its credential is there.
        let is_moved = |name: &CredentialName| {
            self.referenced.contains(name) && self.rotations.contains_key(name) != self.state.is_served(name)
        };
        let rebound = objects || credentials.iter().any(is_moved);
        if rebound {
            self.bind();
        }
        let forgotten = if objects {
            self.state.forget(&self.state.unclaimed(), &self.referenced)
        } else {
            self.state.forget(&credentials, &self.referenced)
        };
        credentials.extend(forgotten);
        let Self {
            publisher,
            state,
            bound,
            settings,
            ..
        } = self;
        publisher.update(now, |draft| {
            for name in &credentials {
                let record = state.credentials().get(name);
                translate::publish_credential(draft, name, record.and_then(|record| record.good.as_deref()));
            }
            if rebound {
                translate::publish(draft, bound, settings);
            }
        });
        for name in credentials {
            if self.state.is_served(&name) {
                self.rotations.insert(
                    name,
                    Rotation {
                        at: now,
                        time: OffsetDateTime::now_utc(),
                    },
                );
            } else {
                self.rotations.remove(&name);
            }
        }
    }

    fn bind(&mut self) {
        let bound = translate::bind(&self.state, &self.settings.gateway);
        for finding in bound
            .findings
            .iter()
            .filter(|finding| !self.bound.findings.contains(finding))
        {
            match finding.severity {
                Severity::Error => tracing::error!(code = finding.code, "{finding}"),
                _ => tracing::warn!(code = finding.code, "{finding}"),
            }
        }
        self.referenced = translate::referenced(&bound);
        self.bound = bound;
    }

    /// Takes off what lingered long enough.
    pub fn expire(&mut self, now: Instant) {
        self.publisher.update(now, |_| ());
    }

    /// When to call [`Self::expire`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.publisher.next_deadline()
    }

    /// What is wrong or doubtful.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = self.state.findings();
        findings.extend(self.bound.findings.iter().cloned());
        findings.sort();
        findings.dedup();
        findings
    }

    /// The objects.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is served.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// When the served version of a credential was published.
    #[must_use]
    pub fn rotation(&self, name: &CredentialName) -> Option<Rotation> {
        self.rotations.get(name).copied()
    }

    /// How many times something was published.
    #[must_use]
    pub fn publications(&self) -> u64 {
        self.publisher.generation()
    }

    /// Whether the source's first list was complete.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.synced
    }
}

/// The engine, shared between the loop that feeds it and the admin interface that reads it.
#[derive(Clone, Debug)]
pub struct Shared {
    engine: Arc<Mutex<Engine>>,
    proxies: Proxies,
    accepts: Arc<AtomicBool>,
}

impl Shared {
    /// Shares an engine.
    #[must_use]
    pub fn new(engine: Engine, proxies: Proxies) -> Self {
        Self {
            engine: Arc::new(Mutex::new(engine)),
            proxies,
            accepts: Arc::default(),
        }
    }

    /// Uses the engine; nothing may wait in there.
    pub fn with<T>(&self, use_it: impl FnOnce(&mut Engine) -> T) -> T {
        use_it(&mut self.engine.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The socket accepts now.
    pub fn accepts(&self) {
        self.accepts.store(true, Ordering::Release);
    }

    /// Whether proxies get what they ask for.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.accepts.load(Ordering::Acquire) && self.with(|engine| engine.is_synced())
    }

    /// Everything, for people and programs.
    #[must_use]
    pub fn status(&self) -> Status {
        let proxies = self.proxies.list();
        self.with(|engine| report::status(engine, &proxies))
    }
}
