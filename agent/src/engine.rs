//! Joins the parts in the one direction: source, state, translate, snapshot. `admin` reads it through [`Shared`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sealgate_model::{CredentialName, Finding, SourceEvent};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::admin::status::Status;
use crate::credential::Policy;
use crate::lint;
use crate::news::{self, News};
use crate::report;
use crate::snapshot::{Publisher, Snapshot};
use crate::source::demand::Demand;
use crate::source::health::Health;
use crate::state::{Changes, State};
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
    /// What is doubtful about Gateways and VirtualServices together; part of `bound`'s findings.
    doubts: Vec<Finding>,
    /// The credentials that `bound` names.
    referenced: Demand,
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
            doubts: Vec::new(),
            referenced: Demand::default(),
            publisher,
            rotations: BTreeMap::new(),
            synced: false,
        };
        (engine, snapshots)
    }

    /// Takes everything that waits as one change, and publishes what moved. What there is to say of it is logged, and
    /// returned for whoever else wants to know.
    pub fn apply(&mut self, events: impl IntoIterator<Item = SourceEvent>, now: Instant) -> Vec<News> {
        let mut changes = Changes::default();
        for event in events {
            self.state.apply(event, &mut changes);
        }
        // What is said of a server follows whether its credential is there.
        let rebound = changes.objects || changes.credentials.iter().any(|name| self.came_or_went(name));
        if rebound {
            changes.news.extend(self.bind(changes.routes));
        }
        let forgotten = if changes.objects {
            self.state.forget(&self.state.unclaimed(), &self.referenced)
        } else {
            self.state.forget(&changes.credentials, &self.referenced)
        };
        changes.credentials.extend(forgotten);
        self.publish(&changes.credentials, rebound, now);
        changes.news.iter().for_each(News::log);
        changes.news
    }

    /// Whether a credential that a server names is there now and was not before, or the other way round.
    fn came_or_went(&self, name: &CredentialName) -> bool {
        self.referenced.contains(name) && self.rotations.contains_key(name) != self.state.is_served(name)
    }

    fn publish(&mut self, credentials: &BTreeSet<CredentialName>, rebound: bool, now: Instant) {
        let mut moved = Vec::new();
        self.publisher.update(now, |draft| {
            for name in credentials {
                let good = self
                    .state
                    .credentials()
                    .get(name)
                    .and_then(|record| record.good.as_ref());
                if translate::publish_credential(draft, name, good) {
                    moved.push(name);
                }
            }
            if rebound {
                translate::publish(draft, &self.bound, &self.settings);
            }
        });
        let rotation = Rotation {
            at: now,
            time: OffsetDateTime::now_utc(),
        };
        for name in moved {
            if self.state.is_served(name) {
                self.rotations.insert(name.clone(), rotation);
            } else {
                self.rotations.remove(name);
            }
        }
    }

    /// The credentials that Gateways name: the same value for as long as they are the same.
    #[must_use]
    pub fn referenced(&self) -> &Demand {
        &self.referenced
    }

    fn bind(&mut self, routes_moved: bool) -> Vec<News> {
        let mut bound = translate::bind(&self.state, &self.settings.gateway, &self.bound);
        if routes_moved {
            self.doubts = lint::routes(&self.state, &bound);
        }
        bound.findings.extend_from_slice(&self.doubts);
        let news = news::of_all(&self.bound.findings, &bound.findings);
        if bound.wanted != *self.referenced {
            self.referenced = bound.wanted.clone().into();
        }
        self.bound = bound;
        news
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

    /// The source's first lists are complete.
    pub fn set_synced(&mut self) {
        self.synced = true;
    }

    /// Whether the source's first lists are complete.
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
    health: Health,
    accepts: Arc<AtomicBool>,
}

impl Shared {
    /// Shares an engine.
    #[must_use]
    pub fn new(engine: Engine, proxies: Proxies, health: Health) -> Self {
        Self {
            engine: Arc::new(Mutex::new(engine)),
            proxies,
            health,
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
        self.with(|engine| report::status(engine, &proxies, &self.health))
    }
}
