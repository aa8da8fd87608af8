//! The consequences of changes: resolution, and publishing its result.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use sealgate_model::budget;
use sealgate_model::preview::KnownSecret;
use sealgate_model::resolve::{Changes, Speaker, World};
use sealgate_model::store::Judged;
use sealgate_model::{Code, CredentialName, Kind};

use super::Engine;
use super::view::Rotation;
use crate::news;
use crate::snapshot::TypeUrl;
use crate::translate;

impl Engine {
    /// Resolves changed objects and credentials.
    pub(super) fn resolve(&mut self, step: Judged, touched: &BTreeSet<CredentialName>) -> Changes {
        step.moved.iter().for_each(|moved| self.resolver.take(moved));
        for (name, findings) in step.said {
            if name.kind == Kind::Gateway {
                self.resolver.touch_gateway(&name);
            }
            self.ledger.set(Speaker::Object(name), findings);
        }
        // A server depends on whether it may name its credential, and whether that exists.
        for name in self.credentials.take_reallowed() {
            self.resolver.touch_credential(&name);
            self.note_secret(&name);
        }
        for name in touched {
            let is_served = self.credentials.is_served(name);
            if self.rotations.contains_key(name) != is_served {
                self.resolver.touch_credential(name);
                // Findings about a missing credential name those of the same name in other namespaces.
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
            is_served: &|name| self.credentials.is_served(name) || self.assumed.contains(name),
            // A Secret that has not been read yet may list the namespace.
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

    /// Reports namespaces that have nearly used up budgets.
    pub(super) fn look_at_budgets(&mut self) {
        let charged = self.store.take_charged().union(self.resolver.take_charged());
        for namespace in charged {
            let usages = std::iter::once(self.store.usage()).chain(self.resolver.usage());
            let first = |kind, namespace: &Arc<str>| self.store.first(kind, namespace);
            let findings = budget::near(&namespace, usages, &self.settings.gateway.budgets, first);
            self.ledger.set(Speaker::Budgets(namespace), findings);
        }
    }

    /// Forgets credentials that nothing needs any more. Servers that were not allowed to name one are checked again, as
    /// nothing is known about it now.
    pub(super) fn forget(&mut self, touched: &mut BTreeSet<CredentialName>, changes: &mut Changes) {
        let (credentials, resolver) = (&mut self.credentials, &self.resolver);
        let gone = credentials.forget(|name| resolver.wanted().contains(name));
        if !gone.is_empty() {
            touched.extend(gone);
            changes.extend(self.resolve(Judged::default(), touched));
        }
    }

    /// Updates the findings about credentials.
    pub(super) fn say_of(&mut self, credentials: &BTreeSet<CredentialName>) {
        for name in credentials {
            let findings = self.credentials.findings(name);
            self.ledger.set(Speaker::Secret(name.clone()), findings);
            self.held.insert(name.clone(), self.credentials.held(name));
            self.note_version(name);
            self.note_secret(name);
        }
    }

    fn note_secret(&mut self, name: &CredentialName) {
        let record = self.credentials.records().get(name);
        let now = record.map(|record| KnownSecret {
            is_served: record.good.is_some(),
            allowed: record.allowed().cloned(),
            certificate: self.credentials.certificate(name).map(Arc::new),
        });
        // Without a change, it stays the same map, so that comparing it is cheap.
        if self.secrets.get(name) == now.as_ref() {
            return;
        }
        match now {
            Some(now) => drop(self.secrets.insert(name.clone(), now)),
            None => drop(self.secrets.remove(name)),
        }
    }

    pub(super) fn note_version(&mut self, name: &CredentialName) {
        if name.is_bundle() {
            let version = self.credentials.own_version(name).cloned();
            self.own_versions.insert(name.clone(), version);
        }
    }

    pub(super) fn publish(
        &mut self,
        credentials: &BTreeSet<CredentialName>,
        mut changes: Changes,
        now: Instant,
    ) {
        for (claim, tenure) in &changes.claims {
            match tenure {
                Some(tenure) => drop(self.standing.insert(claim.clone(), tenure.clone())),
                None => drop(self.standing.remove(claim)),
            }
        }
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
        // Clusters that were never published are released immediately: Envoy does not have them.
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

    /// Unknown destinations whose objects may exist but be unreadable.
    pub(super) fn look_at_stand_ins(&mut self, changed: &BTreeSet<Arc<str>>) {
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

    /// Removed clusters make room for those that wait for it.
    pub(super) fn make_room(&mut self, now: Instant) {
        let gone = self.publisher.take_gone();
        let clusters = gone.iter().filter(|key| key.0 == TypeUrl::Cluster);
        if self.resolver.release(clusters.map(|key| &key.1)) {
            let changes = self.resolve(Judged::default(), &BTreeSet::new());
            self.publish(&BTreeSet::new(), changes, now);
        }
    }
}
