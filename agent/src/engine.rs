//! Connects the parts, in one direction: source, store and credentials, resolution, snapshot.

mod asking;
mod follow;
mod former;
mod guilt;
mod intake;
mod view;

pub use self::view::{Rotation, View};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::{OrdMap, OrdSet};
use sealgate_core::arrival::PathPolicy;
use sealgate_core::explain::Question;
use sealgate_model::explain::ServedHost;
use sealgate_model::ledger::{Ledger, News};
use sealgate_model::preview::{GatewayOptions, KnownSecret};
use sealgate_model::resolve::{Claim, Resolver, ServedCertificate, Speaker, Tenure};
use sealgate_model::store::{Judged, Store};
use sealgate_model::tenancy::Tenants;
use sealgate_model::{CredentialName, Object, ObjectRef, SourceEvent};
use time::OffsetDateTime;
use tokio::sync::watch;

use self::asking::{AskProxies, AskSource, Clock};
use crate::credential::CredentialPolicy;
use crate::credentials::{Credentials, HeldCredential};
use crate::kept::held_back::RememberedBlame;
use crate::news::{self, Lists, Patience};
use crate::rebind::{self, Rebinds};
use crate::snapshot::{Publisher, ResourceKey, Snapshot};
use crate::translate::{self, Settings, Withheld};
use crate::trial::{Reception, Trials};
use crate::unread::UnreadObjects;
use crate::valid::Broken;

/// Removed clusters and endpoints are served for this long: requests in flight may still name them.
const GRACE: Duration = Duration::from_secs(10);

/// A change of the system clock is noticed after this long at the latest.
const GLANCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    /// The same settings, for views.
    options: Arc<GatewayOptions>,
    clock: Clock,
    store: Store,
    credentials: Credentials,
    resolver: Resolver,
    ledger: Ledger<Speaker>,
    publisher: Publisher,
    /// Resources that Envoy would reject.
    withheld: Withheld,
    rotations: OrdMap<CredentialName, Rotation>,
    /// Resources that proxies reject, with the reason.
    refused: BTreeMap<ResourceKey, String>,
    trials: Trials,
    /// Objects that are held back.
    guilty: BTreeSet<ObjectRef>,
    ask: AskProxies,
    lists: AskSource,
    /// What is remembered from a previous agent, until something is applied.
    remembered: (Judged, BTreeSet<CredentialName>),
    /// Bundles of which a previous agent knew a version, until the first lists are complete.
    unheard: BTreeSet<CredentialName>,
    /// Credentials that are assumed to be valid, because they cannot be read.
    assumed: BTreeSet<CredentialName>,
    /// Credentials that changed since [`Self::take_held`] was last called.
    held: BTreeMap<CredentialName, Option<HeldCredential>>,
    /// Bundles whose own Secrets changed since [`Self::take_own_versions`] was last called.
    own_versions: BTreeMap<CredentialName, Option<String>>,
    /// When dates were last checked.
    glanced: Instant,
    /// Claims that changed since [`Self::take_claims`] was last called.
    claims: BTreeMap<Claim, Option<Tenure>>,
    /// What is known about credentials, without secrets; a clone is cheap and has no keys.
    secrets: OrdMap<CredentialName, KnownSecret>,
    /// All claims; a clone is cheap.
    standing: OrdMap<Claim, Tenure>,
    /// The properties of certificates that servers were checked with.
    certificates: BTreeMap<CredentialName, ServedCertificate>,
    patience: Patience,
    /// Objects whose state is unknown because they cannot be read.
    doubts: UnreadObjects,
    rebinds: Rebinds,
    /// Objects that a previous agent held back, until their source sends them.
    recalled: BTreeMap<ObjectRef, RememberedBlame>,
    /// Objects that are held back, as last reported.
    blamed: BTreeMap<ObjectRef, Option<Arc<Object>>>,
    synced: bool,
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        Self::with_clock(settings, OffsetDateTime::now_utc)
    }

    /// The same, with another clock.
    #[must_use]
    pub fn with_clock(
        settings: Settings,
        clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (mut publisher, snapshots) = Publisher::new(GRACE);
        let mut withheld = Withheld::default();
        publisher.update(Instant::now(), |draft| {
            translate::publish_table(draft, &mut withheld, &settings);
            translate::publish_public_ca(draft, &mut withheld, &settings.gateway.public_ca());
        });
        let policy = CredentialPolicy {
            strict_names: settings.gateway.strict_names,
            refuse_expired: settings.gateway.refuse_expired,
            now: clock(),
        };
        let (gateway, paths) = (settings.gateway.resolved(), settings.gateway.paths);
        let engine = Self {
            options: Arc::new(GatewayOptions::new(&gateway, paths)),
            resolver: Resolver::new(settings.gateway.resolved()),
            store: Store::new(settings.gateway.resolved().budgets()),
            credentials: Credentials::new(policy),
            settings,
            clock: Clock(Box::new(clock)),
            ledger: Ledger::default(),
            publisher,
            withheld,
            rotations: OrdMap::new(),
            refused: BTreeMap::new(),
            trials: Trials::default(),
            guilty: BTreeSet::new(),
            ask: AskProxies::default(),
            lists: AskSource::default(),
            claims: BTreeMap::new(),
            secrets: OrdMap::new(),
            standing: OrdMap::new(),
            remembered: Default::default(),
            unheard: BTreeSet::new(),
            assumed: BTreeSet::new(),
            held: BTreeMap::new(),
            own_versions: BTreeMap::new(),
            glanced: Instant::now(),
            certificates: BTreeMap::new(),
            patience: Patience::default(),
            doubts: UnreadObjects::default(),
            rebinds: Rebinds::default(),
            recalled: BTreeMap::new(),
            blamed: BTreeMap::new(),
            synced: false,
        };
        (engine, snapshots)
    }

    /// An engine that does not check resources, for tests of what happens when a proxy rejects one.
    #[must_use]
    pub fn without_checks(settings: Settings) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (engine, snapshots) = Self::new(settings);
        let store = Store::without_checks();
        (Self { store, ..engine }, snapshots)
    }

    /// Takes all waiting events as one change, and publishes the result. News about it are logged and returned.
    pub fn apply(&mut self, events: impl IntoIterator<Item = SourceEvent>, now: Instant) -> Vec<News> {
        let (mut step, mut touched) = std::mem::take(&mut self.remembered);
        for event in events {
            match event {
                SourceEvent::Reset(entries) => self.reset(entries, &mut step, &mut touched),
                SourceEvent::Apply(entry) => self.set(entry, &mut step, &mut touched),
                SourceEvent::Delete(name) => self.delete(&name, &mut step, &mut touched),
            }
        }
        self.store.settle(&mut step);
        self.credentials.settle(&mut touched);
        let gone = std::mem::take(&mut step.gone);
        self.patience
            .back(step.said.keys().filter(|name| !gone.contains(*name)));
        let moved = step.moved.clone();
        let mut changes = self.resolve(step, &touched);
        let composites = translate::composites(&changes);
        let receptions = self.receptions(&composites);
        let store = &self.store;
        let late = self
            .trials
            .note(&receptions, &moved, |name| guilt::newest(store, name));
        changes.extend(self.swap(late));
        self.forget(&mut touched, &mut changes);
        self.forget_versions();
        self.say_of(&touched);
        self.look_at_doubts();
        self.publish(&touched, changes, now);
        self.make_room(now);
        let withheld = self.withheld.iter();
        // If another listener has the address, no object is to blame.
        let withheld =
            withheld.filter(|(_, violation)| !matches!(violation.broken(), Broken::AddressTaken(..)));
        let withheld: Vec<_> = withheld.map(|(key, _)| key.clone()).collect();
        self.look_for_the_guilty(&withheld, now);
        self.tell(gone, now)
    }

    /// Delays news by this long: objects that belong together arrive one after the other, and findings about the first
    /// ones are soon outdated.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = Patience::new(patience);
    }

    /// Sets how to ask whether the source's lists are complete: what seems to be missing may just not be read yet, and
    /// is not reported before.
    pub fn ask_source(&mut self, lists: impl Fn() -> Lists + Send + Sync + 'static) {
        self.lists = AskSource(Box::new(lists));
    }

    /// Checks credentials again when one of their dates has passed.
    fn look_at_dates(&mut self, now: Instant) {
        self.glanced = now;
        let mut touched = BTreeSet::new();
        self.credentials.look((self.clock.0)(), &mut touched);
        if !touched.is_empty() {
            let changes = self.resolve(Judged::default(), &touched);
            self.say_of(&touched);
            self.publish(&touched, changes, now);
        }
    }

    /// Returns the news that were not reported before.
    fn tell(&mut self, gone: BTreeSet<ObjectRef>, now: Instant) -> Vec<News> {
        self.blame();
        let known = (self.ledger.has_news(), (self.lists.0)());
        let Some(gone) = self.patience.is_over(gone, known, now) else {
            return Vec::new();
        };
        let told = self.ledger.news(&gone);
        told.iter().for_each(news::log);
        told
    }

    /// Continues what takes time: checks dates that have passed, removes what was kept long enough, and looks for
    /// objects to blame.
    pub fn go_on(&mut self, now: Instant) -> Vec<News> {
        self.look_at_dates(now);
        let mut receptions = self.receptions(&self.trials.keys(now));
        for (_, reception) in &mut receptions {
            // If a port cannot be bound, no object is to blame.
            if reception.reason().is_some_and(rebind::is_bind_failure) {
                *reception = Reception::Nobody;
            }
        }
        let swaps = self.trials.go_on(receptions, now);
        self.serve(swaps, now);
        let again = self.rebinds.take_due(now);
        self.publisher.update(now, |draft| {
            for ((kind, name), count) in &again {
                draft.renew(*kind, name, *count);
            }
        });
        self.make_room(now);
        self.tell(BTreeSet::new(), now)
    }

    /// The credentials that Gateways name.
    #[must_use]
    pub fn wanted(&self) -> &OrdSet<CredentialName> {
        self.resolver.wanted()
    }

    /// Keeps removed clusters, beyond the grace period, while this says that a proxy may still name them.
    pub fn keep_while(&mut self, in_use: impl Fn(&Snapshot) -> bool + Send + Sync + 'static) {
        self.publisher.keep_while(in_use);
    }

    /// When to call [`Self::go_on`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let trials = self.trials.next_deadline(now);
        let glance = self.credentials.has_dates().then(|| self.glanced + GLANCE);
        let dates = self.credentials.next_look().map(|at| {
            let left = Duration::try_from(at - (self.clock.0)());
            now + left.unwrap_or_default().min(GLANCE)
        });
        [
            self.publisher.next_deadline(),
            trials,
            dates,
            glance,
            self.patience.deadline(),
            self.rebinds.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Assumes that these credentials are valid: someone who reads a cluster once may not have access to their Secrets,
    /// which does not make them invalid.
    pub fn assume(&mut self, names: impl IntoIterator<Item = CredentialName>) {
        for name in names {
            self.resolver.touch_credential(&name);
            self.assumed.insert(name);
        }
    }

    /// Who may do what.
    #[must_use]
    pub fn tenants(&self) -> &Tenants {
        &self.settings.gateway.tenants
    }

    /// Everything that the answer to a question depends on.
    #[must_use]
    pub fn served_host(&self, question: &Question) -> ServedHost {
        ServedHost::new(question, &self.resolver, self.paths())
    }

    /// How paths are normalized before rules see them, unless a server says otherwise.
    #[must_use]
    pub fn paths(&self) -> PathPolicy {
        self.settings.gateway.paths
    }

    /// What is served.
    #[must_use]
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The source's first lists are complete.
    pub fn set_synced(&mut self) {
        self.patience.hurry();
        self.synced = true;
    }
}
