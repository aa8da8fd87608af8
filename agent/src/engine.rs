//! Joins the parts in the one direction: source, store and credentials, resolution, snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::{OrdMap, OrdSet};
use sealgate_core::arrival::PathPolicy;
use sealgate_model::CredentialName;
use sealgate_model::Finding;
use sealgate_model::budget::{self, Budgets, Usage};
use sealgate_model::ledger::{Findings, Ledger, News, listed};
use sealgate_model::resolve::gateway::DeclaredGateway;
use sealgate_model::resolve::rank::Rank;
use sealgate_model::resolve::{Changes, Claim, Claims, Resolver, ServedCertificate, Speaker, Tenure, World};
use sealgate_model::store::{Judged, Store};
use sealgate_model::tenancy::Tenants;
use sealgate_model::{Code, Kind, Object, ObjectRef};
use sealgate_model::{SourceEvent, SourceObject};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::blame;
use crate::credential::CredentialPolicy;
use crate::credentials::{Credentials, HeldCredential, Records};

use crate::kept::credentials::RememberedCredential;
use crate::kept::held_back::RememberedBlame;
use crate::news::{self, Patience};
use crate::rebind::{self, Rebinds};
use crate::snapshot::{Publisher, ResourceKey, Snapshot, TypeUrl};
use crate::translate::{self, Settings, Withheld};
use crate::trial::{self, Blame, NewestVersion, Reception, Swap, Trials};
use crate::unread::UnreadObjects;
use crate::valid::Broken;

/// Clusters and endpoints that are gone are served for this long: requests in flight may still name them.
const GRACE: Duration = Duration::from_secs(10);

/// A clock that is set anew, forwards or back, is noticed after so long at the latest.
const GLANCE: Duration = Duration::from_secs(60);

/// When a credential's served version was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    clock: Clock,
    store: Store,
    credentials: Credentials,
    resolver: Resolver,
    ledger: Ledger<Speaker>,
    publisher: Publisher,
    /// Resources that Envoy would refuse.
    withheld: Withheld,
    rotations: OrdMap<CredentialName, Rotation>,
    /// Resources that proxies refuse.
    refused: BTreeMap<ResourceKey, String>,
    trials: Trials,
    /// Objects that are held back.
    guilty: BTreeSet<ObjectRef>,
    ask: AskProxies,
    /// What is kept of an agent before this one, until something is applied.
    remembered: (Judged, BTreeSet<CredentialName>),
    /// Bundles of which an agent before this one knew a version, until the first lists are complete.
    unheard: BTreeSet<CredentialName>,
    /// Credentials that changed since somebody asked.
    held: BTreeMap<CredentialName, Option<HeldCredential>>,
    /// Bundles whose own Secrets provide another version since somebody asked.
    own_versions: BTreeMap<CredentialName, Option<String>>,
    /// When dates were looked at last.
    glanced: Instant,
    /// Claims that stand otherwise since the last time.
    claims: BTreeMap<Claim, Option<Tenure>>,
    /// What servers were told of the certificates that there are.
    certificates: BTreeMap<CredentialName, ServedCertificate>,
    patience: Patience,
    /// Objects that nobody can judge.
    doubts: UnreadObjects,
    rebinds: Rebinds,
    /// Objects that an agent before this one held back, until their sources say what they have.
    recalled: BTreeMap<ObjectRef, RememberedBlame>,
    /// Objects that are held back, as it was told last.
    blamed: BTreeMap<ObjectRef, Option<Arc<Object>>>,
    synced: bool,
}

/// Tells the time by which dates are judged.
struct Clock(Box<Told>);

/// What a [`Clock`] is.
type Told = dyn Fn() -> OffsetDateTime + Send + Sync;

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// What connected proxies make of a resource as it stands in a snapshot.
struct AskProxies {
    ask: Box<Asked>,
    /// Whether there is somebody to ask.
    is_set: bool,
    /// Whether proxies are connected, and none of them has what an agent before this one sent.
    are_fresh: Box<dyn Fn() -> bool + Send + Sync>,
}

/// What [`AskProxies`] asks.
type Asked = dyn Fn(&ResourceKey, &Snapshot) -> Reception + Send + Sync;

impl Default for AskProxies {
    fn default() -> Self {
        Self {
            ask: Box::new(|_, _| Reception::Pending),
            is_set: false,
            are_fresh: Box::new(|| true),
        }
    }
}

impl fmt::Debug for AskProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskProxies")
    }
}

/// What there is to be read of the engine, at one moment; made in no time, so that whoever reads holds nobody up.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whether the source's first lists are complete.
    pub synced: bool,
    /// How many times something was published.
    pub publications: u64,
    /// The Gateways that are served, in order.
    pub gateways: OrdMap<Rank, Arc<DeclaredGateway>>,
    /// Every credential that there is a Secret of, or was.
    pub credentials: Records,
    /// Those that Gateways name.
    pub wanted: OrdSet<CredentialName>,
    /// When the served version of each was published.
    pub rotations: OrdMap<CredentialName, Rotation>,
    /// What namespaces use of their budgets, by objects, by rules and by clusters.
    pub usage: Vec<Usage>,
    /// What they may use.
    pub budgets: Budgets,
    findings: Findings,
}

impl View {
    /// What is wrong or doubtful, the worst first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        listed(&self.findings)
    }
}

impl Engine {
    /// An engine that knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        Self::with_clock(settings, OffsetDateTime::now_utc)
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(
        settings: Settings,
        clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (mut publisher, snapshots) = Publisher::new(GRACE);
        let mut withheld = Withheld::default();
        publisher.update(Instant::now(), |draft| {
            translate::publish_table(draft, &mut withheld, &settings);
        });
        let policy = CredentialPolicy {
            strict_names: settings.gateway.strict_names,
            refuse_expired: settings.gateway.refuse_expired,
            now: clock(),
        };
        let engine = Self {
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
            claims: BTreeMap::new(),
            remembered: Default::default(),
            unheard: BTreeSet::new(),
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

    /// An engine that takes objects as they are: for tests of what follows when a proxy refuses what was checked.
    #[must_use]
    pub fn without_checks(settings: Settings) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (engine, snapshots) = Self::new(settings);
        let store = Store::without_checks();
        (Self { store, ..engine }, snapshots)
    }

    /// From now on this says what connected proxies make of a resource.
    pub fn ask_proxies(
        &mut self,
        ask: impl Fn(&ResourceKey, &Snapshot) -> Reception + Send + Sync + 'static,
    ) {
        self.ask.ask = Box::new(ask);
        self.ask.is_set = true;
    }

    /// From now on this says whether proxies are connected, and none of them has what an agent before this one sent.
    pub fn ask_whether_fresh(&mut self, are_fresh: impl Fn() -> bool + Send + Sync + 'static) {
        self.ask.are_fresh = Box::new(are_fresh);
    }

    /// Takes everything that waits as one change, and publishes what moved. What there is to say of it is logged, and
    /// returned for whoever else wants to know.
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
        let late = self.trials.note(&receptions, &moved, |name| newest(store, name));
        changes.extend(self.swap(late));
        self.forget(&mut touched, &mut changes);
        self.forget_versions();
        self.say_of(&touched);
        self.look_at_doubts();
        self.publish(&touched, changes, now);
        self.make_room(now);
        let withheld = self.withheld.iter();
        // Who was first with an address is no worse than who has it.
        let withheld =
            withheld.filter(|(_, violation)| !matches!(violation.broken(), Broken::AddressTaken(..)));
        let withheld: Vec<_> = withheld.map(|(key, _)| key.clone()).collect();
        self.look_for_the_guilty(&withheld, now);
        self.tell(gone, now)
    }

    /// From now on what there is to say waits so long for what follows: objects that belong together come one after the other,
    /// and what is said of the first ones is soon not so any more.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = Patience::new(patience);
    }

    /// Lets go of credentials that are held for nobody. Who might not name one may, now that nothing is known of it.
    fn forget(&mut self, touched: &mut BTreeSet<CredentialName>, changes: &mut Changes) {
        let (credentials, resolver) = (&mut self.credentials, &self.resolver);
        let gone = credentials.forget(|name| resolver.wanted().contains(name));
        if !gone.is_empty() {
            touched.extend(gone);
            changes.extend(self.resolve(Judged::default(), touched));
        }
    }

    /// Once all Secrets were heard of, what an agent before this one knew of others is of no use.
    fn forget_versions(&mut self) {
        if !self.synced {
            return;
        }
        for name in std::mem::take(&mut self.unheard) {
            let is_wanted = self.resolver.wanted().contains(&name);
            self.credentials.forget_version(&name, is_wanted);
            self.note_version(&name);
        }
    }

    /// Says what there is to say of credentials.
    fn say_of(&mut self, credentials: &BTreeSet<CredentialName>) {
        for name in credentials {
            let findings = self.credentials.findings(name);
            self.ledger.set(Speaker::Secret(name.clone()), findings);
            self.held.insert(name.clone(), self.credentials.held(name));
            self.note_version(name);
        }
    }

    fn note_version(&mut self, name: &CredentialName) {
        if name.is_bundle() {
            let version = self.credentials.own_version(name).cloned();
            self.own_versions.insert(name.clone(), version);
        }
    }

    /// Judges credentials anew of which a date has passed.
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

    /// What the proxies make of resources as they stand; those that are withheld they would refuse.
    fn receptions(&self, keys: &[ResourceKey]) -> Vec<(ResourceKey, Reception)> {
        let snapshot = self.publisher.snapshot();
        let receptions = keys.iter().map(|key| {
            let reception = match self.withheld.get(key) {
                Some(violation) if snapshot.get(key.0, &key.1).is_some() => {
                    Reception::Refused(violation.to_string())
                }
                Some(violation) => Reception::NeverTaken(violation.to_string()),
                None => (self.ask.ask)(key, &snapshot),
            };
            (key.clone(), reception)
        });
        receptions.collect()
    }

    /// Takes back what changed of resources that are refused, and of which others are part.
    fn look_for_the_guilty(&mut self, keys: &[ResourceKey], now: Instant) {
        let mut swaps = Vec::new();
        for (key, reception) in self.receptions(keys) {
            let is_known = match &reception {
                // A proxy that goes on with what an agent before this one sent would lose everything meanwhile. And where
                // nobody is asked, such as in `check`, nobody answers.
                Reception::NeverTaken(reason) => {
                    let is_harmless = self.withheld.get(&key).is_none() || (self.ask.are_fresh)();
                    self.ask.is_set && is_harmless && !rebind::is_bind_failure(reason)
                }
                Reception::Refused(reason) => !rebind::is_bind_failure(reason),
                _ => false,
            };
            if is_known && trial::is_composite(key.0) {
                let (store, is_sure) = (&self.store, self.withheld.get(&key).is_some());
                let newest = |name: &ObjectRef| newest(store, name);
                swaps.extend(self.trials.refuse(&key, is_sure, newest, now));
            }
        }
        if !swaps.is_empty() {
            self.serve(swaps, now);
        }
    }

    /// What there is to say that was not said before.
    fn tell(&mut self, gone: BTreeSet<ObjectRef>, now: Instant) -> Vec<News> {
        self.blame();
        let Some(gone) = self.patience.is_over(gone, self.ledger.has_news(), now) else {
            return Vec::new();
        };
        let told = self.ledger.news(&gone);
        told.iter().for_each(news::log);
        told
    }

    /// Serves other versions of objects.
    fn swap(&mut self, swaps: Vec<Swap>) -> Changes {
        if swaps.is_empty() {
            return Changes::default();
        }
        let mut step = Judged::default();
        for Swap { name, to, source } in swaps {
            self.store.put(&name, to, &source, &mut step);
        }
        self.resolve(step, &BTreeSet::new())
    }

    fn reset(
        &mut self,
        mut entries: Vec<SourceObject>,
        step: &mut Judged,
        touched: &mut BTreeSet<CredentialName>,
    ) {
        // Of two that are at odds the older stands, and else the one that the source names first.
        entries.sort_by_key(|entry| entry.object.as_ref().and_then(|object| object.meta().created));
        let listed: BTreeSet<_> = entries.iter().map(|entry| entry.object_ref.clone()).collect();
        let mut known: BTreeSet<_> = self.store.names().cloned().collect();
        known.extend(self.credentials.secrets());
        known.extend(self.ledger.findings().keys().cloned());
        for name in known.difference(&listed) {
            self.delete(name, step, touched);
        }
        for entry in entries {
            self.set(entry, step, touched);
        }
    }

    fn set(&mut self, entry: SourceObject, step: &mut Judged, touched: &mut BTreeSet<CredentialName>) {
        if entry.object_ref.kind == Kind::Secret && entry.object.is_none() {
            self.credentials.set_unread(&entry.object_ref, touched);
        }
        if entry.is_unread() {
            return self.store.hold(&entry.object_ref);
        }
        let Some(Object::Secret(secret)) = &entry.object else {
            if !self.trials.holds_back(&entry.object_ref, entry.object.as_ref()) {
                self.judge(entry, step);
            }
            return;
        };
        self.doubts.judge(&entry.object_ref);
        let mut findings = entry.findings;
        findings.extend(self.credentials.set(secret, (self.clock.0)(), touched));
        step.say(entry.object_ref, findings);
    }

    fn judge(&mut self, entry: SourceObject, step: &mut Judged) {
        let (name, object) = (entry.object_ref.clone(), entry.object.clone());
        let former = self.store.get(&name).cloned();
        self.store.set(entry, step);
        let recalled = self.recalled.remove(&name);
        if let Some(blame) = recalled.and_then(|recalled| recalled.of(object.as_ref())) {
            self.hold_back(&name, former, blame, step);
        }
        let said = step.said.get(&name).map_or(&[][..], Vec::as_slice);
        self.doubts
            .take(&name, object.as_ref(), said, &self.settings.gateway.resolved());
    }

    /// An object that an agent before this one held back has not changed.
    fn hold_back(&mut self, name: &ObjectRef, former: Option<Arc<Object>>, blame: Blame, step: &mut Judged) {
        let newest = newest(&self.store, name).filter(|newest| former.as_ref() != Some(&newest.served));
        let swap = newest.and_then(|newest| self.trials.resume(name, newest, former, blame, Instant::now()));
        if let Some(Swap { name, to, source }) = swap {
            self.store.put(&name, to, &source, step);
        }
    }

    /// What proxies that have it from an agent before this one are to keep.
    fn look_at_doubts(&mut self) {
        if self.synced {
            self.doubts.close(&self.credentials, &self.resolver);
        }
        self.doubts.look(&self.credentials, &self.resolver);
    }

    fn delete(&mut self, name: &ObjectRef, step: &mut Judged, touched: &mut BTreeSet<CredentialName>) {
        self.doubts.judge(name);
        if name.kind == Kind::Secret {
            self.credentials.delete(name, touched);
            step.delete(name);
        } else {
            self.trials.holds_back(name, None);
            self.store.delete(name, step);
        }
    }

    /// What follows from moved objects, and from credentials that came or went.
    fn resolve(&mut self, step: Judged, touched: &BTreeSet<CredentialName>) -> Changes {
        step.moved.iter().for_each(|moved| self.resolver.take(moved));
        for (name, findings) in step.said {
            if name.kind == Kind::Gateway {
                self.resolver.touch_gateway(&name);
            }
            self.ledger.set(Speaker::Object(name), findings);
        }
        // What becomes of a server follows whether it may name its credential, and whether that is there.
        for name in self.credentials.take_reallowed() {
            self.resolver.touch_credential(&name);
        }
        for name in touched {
            let is_served = self.credentials.is_served(name);
            if self.rotations.contains_key(name) != is_served {
                self.resolver.touch_credential(name);
                // Where one of that name is missed, it is said that this one is there, or no more.
                let own =
                    CredentialName::new(self.settings.gateway.namespace.as_str(), Arc::clone(&name.name));
                if own != *name {
                    self.resolver.touch_credential(&own);
                }
            }
            let certificate = self.credentials.certificate(name);
            if self.certificates.get(name) != certificate.as_ref() {
                self.resolver.touch_credential(name);
                match certificate {
                    Some(certificate) => drop(self.certificates.insert(name.clone(), certificate)),
                    None => drop(self.certificates.remove(name)),
                }
            }
        }
        let tenants = &self.settings.gateway.tenants;
        let said = self.ledger.findings().clone();
        let world = World {
            is_served: &|name| self.credentials.is_served(name),
            // A Secret that was not read yet has not said no.
            may_name: &|namespace, name| {
                let listed = self.credentials.allowed_namespaces(name);
                listed.is_none_or(|listed| tenants.may_name_secret(namespace, &name.name, listed))
            },
            is_known: &|name| self.store.get(name).is_some() || said.contains_key(name),
            certificate: &|name| self.credentials.certificate(name),
            namesake: &|name| self.credentials.namesake(name),
        };
        let changes = self.resolver.settle(world, &mut self.ledger);
        self.look_at_budgets();
        changes
    }

    /// Says of namespaces that they have nearly used up budgets.
    fn look_at_budgets(&mut self) {
        let charged = self.store.take_charged().union(self.resolver.take_charged());
        for namespace in charged {
            let usages = std::iter::once(self.store.usage()).chain(self.resolver.usage());
            let first = |kind, namespace: &Arc<str>| self.store.first(kind, namespace);
            let findings = budget::near(&namespace, usages, &self.settings.gateway.budgets, first);
            self.ledger.set(Speaker::Budgets(namespace), findings);
        }
    }

    fn publish(&mut self, credentials: &BTreeSet<CredentialName>, mut changes: Changes, now: Instant) {
        self.claims.append(&mut changes.claims);
        self.look_at_stand_ins(&changes.clusters);
        let unjudged = self.doubts.show();
        let mut moved = Vec::new();
        let withheld = &mut self.withheld;
        self.publisher.update(now, |draft| {
            if let Some(unjudged) = unjudged {
                draft.set_unjudged(unjudged);
            }
            for name in credentials {
                if translate::publish_credential(draft, withheld, name, self.credentials.good(name)) {
                    moved.push(name);
                }
            }
            translate::publish(draft, withheld, &self.resolver, &changes, &self.settings);
        });
        let rotation = Rotation {
            at: now,
            time: (self.clock.0)(),
        };
        // What was never published is not to be waited for.
        let snapshot = self.publisher.snapshot();
        let is_gone = |cluster: &&Arc<str>| {
            self.resolver.upstream(cluster).is_none() && snapshot.get(TypeUrl::Cluster, cluster).is_none()
        };
        let never: Vec<_> = changes.clusters.iter().filter(is_gone).collect();
        self.resolver.release(never);
        for name in moved {
            let good = self.credentials.good(name);
            let before = match good {
                Some(_) => self.rotations.insert(name.clone(), rotation),
                None => self.rotations.remove(name),
            };
            // The first list is one line, however many there are.
            if self.synced {
                news::log_rotation(name, good.map(|good| &**good), before.is_some());
            }
        }
    }

    /// Destinations of which nothing is known, while their objects may be there and bad.
    fn look_at_stand_ins(&mut self, changed: &BTreeSet<Arc<str>>) {
        let known = self.doubts.stand_ins();
        if known.is_empty() && !self.doubts.has_services() {
            return;
        }
        for cluster in changed.iter().chain(&known) {
            let said = self.ledger.get(&Speaker::Cluster(Arc::clone(cluster)));
            let is_unknown = said.iter().any(|finding| {
                matches!(
                    finding.code,
                    Code::UnknownDestination | Code::UnknownPort | Code::UnknownSubset
                )
            });
            self.doubts.stand_in(cluster, is_unknown);
        }
    }

    /// Clusters that were taken off leave room for those that wait for it.
    fn make_room(&mut self, now: Instant) {
        let gone = self.publisher.take_gone();
        let clusters = gone.iter().filter(|key| key.0 == TypeUrl::Cluster);
        if self.resolver.release(clusters.map(|key| &key.1)) {
            let changes = self.resolve(Judged::default(), &BTreeSet::new());
            self.publish(&BTreeSet::new(), changes, now);
        }
    }

    /// These claims stood when the agent before this one ended. To be told before anything is applied.
    pub fn remember(&mut self, claims: &Claims) {
        self.resolver.remember(claims);
    }

    /// These objects were served when the agent before this one ended, though their sources had other versions. To be told
    /// before anything is applied, and looked at with that: what is claimed is given up where nobody asks for it.
    pub fn remember_objects(&mut self, kept: Vec<SourceObject>) {
        let names = kept.iter().map(|own| own.object_ref.clone());
        names.for_each(|name| self.doubts.know(name));
        self.store.remember(kept, &mut self.remembered.0);
    }

    /// What these files held when they could be read is known. To be told before anything is applied.
    pub fn know_files(&mut self, files: Vec<ObjectRef>) {
        files.into_iter().for_each(|file| self.doubts.know(file));
    }

    /// These credentials were served when the agent before this one ended, though no Secret provided them. To be told before
    /// anything is applied.
    pub fn remember_credentials(&mut self, kept: Vec<RememberedCredential>) {
        for (name, secret, of_base) in kept {
            let touched = &mut self.remembered.1;
            self.credentials.remember(&name, (&secret, of_base), touched);
        }
    }

    /// An agent before this one knew these versions of bundles' own Secrets: see [`Credentials::own_version`]. To be told before
    /// anything is applied.
    pub fn remember_versions(&mut self, versions: BTreeMap<CredentialName, String>) {
        self.unheard.extend(versions.keys().cloned());
        self.credentials.remember_versions(versions);
    }

    /// Of bundles that changed since the last time: the version that its own Secret provided last.
    pub fn take_own_versions(&mut self) -> BTreeMap<CredentialName, Option<String>> {
        std::mem::take(&mut self.own_versions)
    }

    /// Of credentials that changed since the last time: what is served of each, if its Secrets do not provide it any more.
    pub fn take_held(&mut self) -> BTreeMap<CredentialName, Option<HeldCredential>> {
        std::mem::take(&mut self.held)
    }

    /// What is served of objects whose sources have other versions, where that is new since the last time: none if it is no
    /// other any more.
    pub fn take_kept(&mut self) -> BTreeMap<ObjectRef, Option<Arc<Object>>> {
        self.store.take_kept()
    }

    /// These objects were held back when the agent before this one ended, because a proxy refused them. To be told before
    /// anything is applied.
    pub fn remember_held_back(&mut self, held_back: Vec<RememberedBlame>) {
        let recalled = held_back.into_iter().map(|own| (own.object.clone(), own));
        self.recalled = recalled.collect();
        self.blamed = self.recalled.keys().map(|name| (name.clone(), None)).collect();
    }

    /// The objects that are held back because a proxy refuses them, where that is new since the last time: none if one is no
    /// more. Of the first list nothing is known before it is complete.
    pub fn take_held_back(&mut self) -> BTreeMap<ObjectRef, Option<(Arc<Object>, Blame)>> {
        if !self.synced {
            return BTreeMap::new();
        }
        let mut changes: BTreeMap<_, _> = BTreeMap::new();
        let mut before = std::mem::take(&mut self.blamed);
        for (name, source, blame) in self.trials.blamed() {
            let known = before.remove(name).flatten();
            if known.is_none_or(|known| !Arc::ptr_eq(&known, source)) {
                changes.insert(name.clone(), Some((Arc::clone(source), blame.clone())));
            }
            self.blamed.insert(name.clone(), Some(Arc::clone(source)));
        }
        changes.extend(before.into_keys().map(|name| (name, None)));
        changes
    }

    /// The claims that stand otherwise since the last time.
    pub fn take_claims(&mut self) -> BTreeMap<Claim, Option<Tenure>> {
        std::mem::take(&mut self.claims)
    }

    /// Proxies refuse these resources now, and no others: says so of the objects that they were made of, and looks for the one
    /// that is to blame.
    pub fn refused(&mut self, refusals: &BTreeMap<ResourceKey, String>, now: Instant) -> Vec<News> {
        let no_more = self.refused.keys().filter(|own| !refusals.contains_key(*own));
        for resource in no_more {
            self.ledger.set(proxies(resource), Vec::new());
        }
        self.refused.clone_from(refusals);
        self.rebinds.follow(refusals, now);
        let keys: Vec<_> = refusals.keys().cloned().collect();
        self.look_for_the_guilty(&keys, now);
        self.tell(BTreeSet::new(), now)
    }

    /// Goes on with what takes time: judges dates that have passed, takes off what lingered long enough, and looks for
    /// objects that are to blame.
    pub fn go_on(&mut self, now: Instant) -> Vec<News> {
        self.look_at_dates(now);
        let mut receptions = self.receptions(&self.trials.keys(now));
        for (_, reception) in &mut receptions {
            // A port that cannot be bound says nothing of any object.
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

    fn serve(&mut self, swaps: Vec<Swap>, now: Instant) {
        let changes = self.swap(swaps);
        self.publish(&BTreeSet::new(), changes, now);
    }

    /// Whose the refused resources are now, and which objects are held back for it.
    fn blame(&mut self) {
        let keys: Vec<_> = self.refused.keys().cloned().collect();
        let receptions = self.receptions(&keys);
        for ((resource, reason), (_, reception)) in self.refused.iter().zip(receptions) {
            let is_current = !matches!(reception, Reception::Taken | Reception::Absent);
            let findings = blame::refused(&self.resolver, resource, reason);
            let findings = findings.into_iter().filter(|_| is_current);
            self.ledger.set(proxies(resource), findings.collect());
        }
        for resource in self.withheld.take_mended() {
            self.ledger.set(checks(&resource), Vec::new());
        }
        for (resource, violation) in self.withheld.iter() {
            let findings = blame::withheld(&self.resolver, resource, violation);
            self.ledger.set(checks(resource), findings);
        }
        let verdicts: BTreeMap<ObjectRef, Finding> = self
            .trials
            .verdicts()
            .map(|(name, verdict)| (name.clone(), blame::verdict(name, verdict)))
            .collect();
        for name in self.guilty.iter().filter(|name| !verdicts.contains_key(*name)) {
            self.ledger.set(Speaker::Trial(name.clone()), Vec::new());
        }
        self.guilty = verdicts.keys().cloned().collect();
        for (name, finding) in verdicts {
            self.ledger.set(Speaker::Trial(name), vec![finding]);
        }
    }

    /// The credentials that Gateways name.
    #[must_use]
    pub fn wanted(&self) -> &OrdSet<CredentialName> {
        self.resolver.wanted()
    }

    /// From now on clusters that are gone are served on, beyond the grace, while this says that a proxy may name them.
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

    /// Who may do what.
    #[must_use]
    pub fn tenants(&self) -> &Tenants {
        &self.settings.gateway.tenants
    }

    /// What becomes of a host's paths before rules see them.
    #[must_use]
    pub fn path_policy(&self, port: u16, host: &str) -> PathPolicy {
        let port = self.resolver.port(port);
        let chain = port.and_then(|port| translate::identity::chain_of(port, host));
        let escaped = chain.and_then(|chain| chain.meaning.escaped_slashes);
        self.settings.gateway.paths.with(escaped)
    }

    /// What is served.
    #[must_use]
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// What there is to be read.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            synced: self.synced,
            publications: self.publisher.generation(),
            gateways: self.resolver.gateways().clone(),
            credentials: self.credentials.records().clone(),
            wanted: self.resolver.wanted().clone(),
            rotations: self.rotations.clone(),
            usage: std::iter::once(self.store.usage())
                .chain(self.resolver.usage())
                .cloned()
                .collect(),
            budgets: self.settings.gateway.budgets.clone(),
            findings: self.ledger.findings().clone(),
        }
    }

    /// The source's first lists are complete.
    pub fn set_synced(&mut self) {
        self.patience.hurry();
        self.synced = true;
    }
}

/// The newest version of an object.
fn newest(store: &Store, name: &ObjectRef) -> Option<NewestVersion> {
    Some(NewestVersion {
        served: Arc::clone(store.get(name)?),
        source: Arc::clone(store.source(name)?),
    })
}

/// Proxies, of a resource.
fn proxies((kind, name): &ResourceKey) -> Speaker {
    Speaker::Resource(format!("{} {name}", kind.short()).into())
}

/// Our own checks, of a resource.
fn checks((kind, name): &ResourceKey) -> Speaker {
    Speaker::Resource(format!("checked {} {name}", kind.short()).into())
}
