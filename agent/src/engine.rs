//! Joins the parts in the one direction: source, store and credentials, resolution, snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imbl::{OrdMap, OrdSet};
use sealgate_model::CredentialName;
use sealgate_model::Finding;
use sealgate_model::budget::{Budgets, Usage};
use sealgate_model::ledger::{Findings, Ledger, News, listed};
use sealgate_model::resolve::gateway::DeclaredGateway;
use sealgate_model::resolve::rank::Rank;
use sealgate_model::resolve::{Changes, Claim, Claims, Resolver, Speaker, Tenure, World};
use sealgate_model::store::{Judged, Store};
use sealgate_model::{Kind, Object, ObjectRef};
use sealgate_model::{SourceEvent, SourceObject};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::blame;
use crate::credential::CredentialPolicy;
use crate::credentials::{Credentials, Records};
use crate::news;
use crate::snapshot::{Publisher, ResourceKey, Snapshot};
use crate::translate::{self, Settings, Withheld};

/// Clusters and endpoints that are gone are served for this long: requests in flight may still name them.
const GRACE: Duration = Duration::from_secs(10);

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
    /// Claims that stand otherwise since the last time.
    claims: BTreeMap<Claim, Option<Tenure>>,
    synced: bool,
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
    /// Every credential.
    pub credentials: Records,
    /// When the served version of each was published.
    pub rotations: OrdMap<CredentialName, Rotation>,
    /// What namespaces use of their budgets, by objects and by rules.
    pub usage: [Usage; 2],
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
        let (mut publisher, snapshots) = Publisher::new(GRACE);
        let mut withheld = Withheld::default();
        publisher.update(Instant::now(), |draft| {
            translate::publish_table(draft, &mut withheld, &settings);
        });
        let policy = CredentialPolicy {
            strict_names: settings.gateway.strict_names,
            refuse_expired: settings.gateway.refuse_expired,
            now: OffsetDateTime::now_utc(),
        };
        let engine = Self {
            resolver: Resolver::new(settings.gateway.resolved()),
            store: Store::new(settings.gateway.resolved().budgets()),
            credentials: Credentials::new(policy),
            settings,
            ledger: Ledger::default(),
            publisher,
            withheld,
            rotations: OrdMap::new(),
            refused: BTreeMap::new(),
            claims: BTreeMap::new(),
            synced: false,
        };
        (engine, snapshots)
    }

    /// Takes everything that waits as one change, and publishes what moved. What there is to say of it is logged, and
    /// returned for whoever else wants to know.
    pub fn apply(&mut self, events: impl IntoIterator<Item = SourceEvent>, now: Instant) -> Vec<News> {
        let mut step = Judged::default();
        let mut touched = BTreeSet::new();
        for event in events {
            match event {
                SourceEvent::Reset(entries) => self.reset(entries, &mut step, &mut touched),
                SourceEvent::Apply(entry) => self.set(entry, &mut step, &mut touched),
                SourceEvent::Delete(name) => self.delete(&name, &mut step, &mut touched),
            }
        }
        self.store.settle(&mut step);
        let gone = std::mem::take(&mut step.gone);
        let mut changes = self.resolve(step, &touched);
        self.claims.append(&mut changes.claims);
        let (credentials, resolver) = (&mut self.credentials, &self.resolver);
        touched.extend(credentials.forget(|name| resolver.wanted().contains(name)));
        for name in &touched {
            let refusal = self.credentials.refusal(name);
            self.ledger
                .set(Speaker::Secret(name.clone()), refusal.into_iter().collect());
        }
        self.publish(&touched, &changes, now);
        self.blame();
        let told = self.ledger.news(&gone);
        told.iter().for_each(news::log);
        told
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
        let Some(Object::Secret(secret)) = &entry.object else {
            return self.store.set(entry, step);
        };
        let mut findings = entry.findings;
        findings.extend(self.credentials.set(secret, touched));
        step.say(entry.object_ref, findings);
    }

    fn delete(&mut self, name: &ObjectRef, step: &mut Judged, touched: &mut BTreeSet<CredentialName>) {
        if name.kind == Kind::Secret {
            self.credentials.delete(name, touched);
            step.delete(name);
        } else {
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
            if self.rotations.contains_key(name) != self.credentials.is_served(name) {
                self.resolver.touch_credential(name);
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
        };
        self.resolver.settle(world, &mut self.ledger)
    }

    fn publish(&mut self, credentials: &BTreeSet<CredentialName>, changes: &Changes, now: Instant) {
        let mut moved = Vec::new();
        let withheld = &mut self.withheld;
        self.publisher.update(now, |draft| {
            for name in credentials {
                if translate::publish_credential(draft, withheld, name, self.credentials.good(name)) {
                    moved.push(name);
                }
            }
            translate::publish(draft, withheld, &self.resolver, changes, &self.settings);
        });
        let rotation = Rotation {
            at: now,
            time: OffsetDateTime::now_utc(),
        };
        for name in moved {
            if self.credentials.is_served(name) {
                self.rotations.insert(name.clone(), rotation);
            } else {
                self.rotations.remove(name);
            }
        }
    }

    /// These claims stood when the agent before this one ended. To be told before anything is applied.
    pub fn remember(&mut self, claims: &Claims) {
        self.resolver.remember(claims);
    }

    /// The claims that stand otherwise since the last time.
    pub fn take_claims(&mut self) -> BTreeMap<Claim, Option<Tenure>> {
        std::mem::take(&mut self.claims)
    }

    /// Proxies refuse these resources now, and no others: says so of the objects that they were made of.
    pub fn refused(&mut self, refusals: &BTreeMap<ResourceKey, String>) -> Vec<News> {
        let no_more = self.refused.keys().filter(|own| !refusals.contains_key(*own));
        for resource in no_more {
            self.ledger.set(proxies(resource), Vec::new());
        }
        self.refused.clone_from(refusals);
        self.blame();
        let told = self.ledger.news(&BTreeSet::new());
        told.iter().for_each(news::log);
        told
    }

    /// Whose the refused resources are now, be it that a proxy refused them or that it would have.
    fn blame(&mut self) {
        for (resource, reason) in &self.refused {
            let findings = blame::refused(&self.resolver, resource, reason);
            self.ledger.set(proxies(resource), findings);
        }
        for resource in self.withheld.take_mended() {
            self.ledger.set(checks(&resource), Vec::new());
        }
        for (resource, violation) in self.withheld.iter() {
            let findings = blame::withheld(&self.resolver, resource, violation);
            self.ledger.set(checks(resource), findings);
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

    /// Takes off what lingered long enough.
    pub fn expire(&mut self, now: Instant) {
        self.publisher.update(now, |_| ());
    }

    /// When to call [`Self::expire`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.publisher.next_deadline()
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
            rotations: self.rotations.clone(),
            usage: [self.store.usage().clone(), self.resolver.usage().clone()],
            budgets: self.settings.gateway.budgets.clone(),
            findings: self.ledger.findings().clone(),
        }
    }

    /// The source's first lists are complete.
    pub fn set_synced(&mut self) {
        self.synced = true;
    }
}

/// Proxies, of a resource.
fn proxies((kind, name): &ResourceKey) -> Speaker {
    Speaker::Resource(format!("{} {name}", kind.short()).into())
}

/// Our own checks, of a resource.
fn checks((kind, name): &ResourceKey) -> Speaker {
    Speaker::Resource(format!("checked {} {name}", kind.short()).into())
}
