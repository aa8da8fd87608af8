//! Which objects are to blame for resources that proxies reject, and what is served in their place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use sealgate_model::ledger::News;
use sealgate_model::resolve::{Changes, Speaker};
use sealgate_model::store::{Judged, Store};
use sealgate_model::{Finding, Object, ObjectRef};

use super::Engine;
use crate::blame;
use crate::rebind;
use crate::snapshot::{ResourceKey, Snapshot};
use crate::trial::{self, Blame, NewestVersion, Reception, Swap};

impl Engine {
    /// Sets how to ask whether connected proxies have accepted a resource.
    pub fn ask_proxies(
        &mut self,
        ask: impl Fn(&ResourceKey, &Snapshot) -> Reception + Send + Sync + 'static,
    ) {
        self.ask.ask = Box::new(ask);
        self.ask.is_set = true;
    }

    /// Sets how to ask whether proxies are connected, and none of them has resources from a previous agent.
    pub fn ask_whether_fresh(&mut self, are_fresh: impl Fn() -> bool + Send + Sync + 'static) {
        self.ask.are_fresh = Box::new(are_fresh);
    }

    /// Whether the proxies accept the current resources; withheld ones would be rejected.
    pub(super) fn receptions(&self, keys: &[ResourceKey]) -> Vec<(ResourceKey, Reception)> {
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

    /// Reverts changes to rejected resources that are made from many objects.
    pub(super) fn look_for_the_guilty(&mut self, keys: &[ResourceKey], now: Instant) {
        let mut swaps = Vec::new();
        for (key, reception) in self.receptions(keys) {
            let is_known = match &reception {
                // A proxy that keeps what a previous agent sent would lose everything in the meantime. And without
                // proxies, such as in `check`, there is no answer.
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

    /// Serves other versions of objects.
    pub(super) fn swap(&mut self, swaps: Vec<Swap>) -> Changes {
        if swaps.is_empty() {
            return Changes::default();
        }
        let mut step = Judged::default();
        for Swap { name, to, source } in swaps {
            self.store.put(&name, to, &source, &mut step);
        }
        self.resolve(step, &BTreeSet::new())
    }

    /// Holds back an unchanged object that a previous agent held back.
    pub(super) fn hold_back(
        &mut self,
        name: &ObjectRef,
        former: Option<Arc<Object>>,
        blame: Blame,
        step: &mut Judged,
    ) {
        let newest = newest(&self.store, name).filter(|newest| former.as_ref() != Some(&newest.served));
        let swap = newest.and_then(|newest| self.trials.resume(name, newest, former, blame, Instant::now()));
        if let Some(Swap { name, to, source }) = swap {
            self.store.put(&name, to, &source, step);
        }
    }

    /// Takes the resources that proxies now reject: reports this for the objects that they are made from, and looks for
    /// the one to blame.
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

    pub(super) fn serve(&mut self, swaps: Vec<Swap>, now: Instant) {
        let changes = self.swap(swaps);
        self.publish(&BTreeSet::new(), changes, now);
    }

    /// Reports the objects of rejected resources, and those that are held back.
    pub(super) fn blame(&mut self) {
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
}

/// The newest version of an object.
pub(super) fn newest(store: &Store, name: &ObjectRef) -> Option<NewestVersion> {
    Some(NewestVersion {
        served: Arc::clone(store.get(name)?),
        source: Arc::clone(store.source(name)?),
    })
}

/// The source of proxies' findings about a resource.
fn proxies((kind, name): &ResourceKey) -> Speaker {
    Speaker::Resource(format!("{} {name}", kind.short()).into())
}

/// The source of our own checks' findings about a resource.
fn checks((kind, name): &ResourceKey) -> Speaker {
    Speaker::Resource(format!("checked {} {name}", kind.short()).into())
}
