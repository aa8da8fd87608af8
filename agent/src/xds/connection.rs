//! One stream: a state machine for each type, which gets the proxy's messages and snapshots. Still no IO.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::ordering::Hold;
use super::settling::Settling;
use super::{Acknowledgement, Machine};
use crate::demand::Delta;
use crate::snapshot::{Snapshot, TypeUrl};

/// No proxy asks for more before it gets an answer.
const MOST_DEFERRED: usize = 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct StreamState<M: Machine> {
    namespace: Arc<str>,
    snapshot: Arc<Snapshot>,
    machines: BTreeMap<TypeUrl, Followed<M>>,
    hold: Hold,
    /// None until clusters are asked for.
    settling: Option<Settling>,
    /// Requests of a proxy that reconnected: it continues with older routes until it has the clusters of the newer
    /// ones.
    deferred: Vec<(TypeUrl, M::Request)>,
}

#[derive(Debug)]
struct Followed<M> {
    machine: M,
    /// The snapshot up to which the machines know the changes.
    seen: Snapshot,
}

impl<M: Machine> StreamState<M> {
    pub(crate) fn new(namespace: Arc<str>, snapshot: Arc<Snapshot>) -> Self {
        Self {
            namespace,
            snapshot,
            machines: BTreeMap::new(),
            hold: Hold::default(),
            settling: None,
            deferred: Vec::new(),
        }
    }

    pub(crate) fn on_request(
        &mut self,
        kind: TypeUrl,
        request: M::Request,
        now: Instant,
    ) -> (Option<Acknowledgement>, Vec<(TypeUrl, M::Response)>) {
        if self.is_deferred(kind, &request, now) {
            self.deferred.push((kind, request));
            return (None, self.flush(now));
        }
        let (acknowledgement, response) = self.answer(kind, &request);
        let mut responses: Vec<_> = response.map(|response| (kind, response)).into_iter().collect();
        responses.extend(self.flush(now));
        (acknowledgement, responses)
    }

    /// The snapshot that the proxy is served from.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Whether nothing of this kind was asked for yet.
    pub(crate) fn is_first(&self, kind: TypeUrl) -> bool {
        !self.machines.contains_key(&kind) && !self.deferred.iter().any(|(own, _)| *own == kind)
    }

    /// Whether an answer would make workers use clusters that have not arrived yet.
    fn is_deferred(&mut self, kind: TypeUrl, request: &M::Request, now: Instant) -> bool {
        let is_waiting = self.deferred.iter().any(|(own, _)| *own == kind);
        let is_first = !self.machines.contains_key(&kind);
        let may_wait = is_waiting || (Hold::concerns(kind) && is_first && M::resumes(request));
        may_wait && self.deferred.len() < MOST_DEFERRED && {
            let settling = self.is_settling();
            self.hold.holds(settling, now)
        }
    }

    fn answer(
        &mut self,
        kind: TypeUrl,
        request: &M::Request,
    ) -> (Option<Acknowledgement>, Option<M::Response>) {
        if kind == TypeUrl::Cluster && self.settling.is_none() {
            self.settling = Some(Settling::new(&self.snapshot));
        }
        let followed = self.machines.entry(kind).or_insert_with(|| Followed {
            machine: M::new(kind, Arc::clone(&self.namespace)),
            seen: self.snapshot.only(kind),
        });
        followed.machine.on_request(request, &self.snapshot)
    }

    pub(crate) fn on_snapshot(
        &mut self,
        snapshot: Arc<Snapshot>,
        now: Instant,
    ) -> Vec<(TypeUrl, M::Response)> {
        self.snapshot = snapshot;
        self.flush(now)
    }

    /// The Secrets that the proxy has started or stopped to ask for since the last call.
    pub(crate) fn take_delta(&mut self) -> Delta<Arc<str>> {
        let secrets = self.machines.get_mut(&TypeUrl::Secret);
        secrets
            .map(|followed| followed.machine.take_delta())
            .unwrap_or_default()
    }

    /// How many names of a kind are asked for.
    pub(crate) fn asked(&self, kind: TypeUrl) -> usize {
        self.machines
            .get(&kind)
            .map_or(0, |followed| followed.machine.asked())
    }

    /// How many resources of each kind the proxy keeps from a previous agent.
    pub(crate) fn unjudged(&self) -> BTreeMap<TypeUrl, usize> {
        let all = self.machines.iter();
        let counts = all.map(|(kind, followed)| (*kind, followed.machine.unjudged().len()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// When held changes must be sent at the latest: call [`Self::flush`] then.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.hold.deadline()
    }

    /// Everything that changed and may be sent, in order.
    pub(crate) fn flush(&mut self, now: Instant) -> Vec<(TypeUrl, M::Response)> {
        let mut responses = Vec::new();
        let mut held = false;
        let mut warming = Vec::new();
        for kind in TypeUrl::ALL {
            let Some(followed) = self.machines.get(&kind) else {
                continue;
            };
            let mut changed = self.snapshot.changed_since(&followed.seen, kind);
            if kind == TypeUrl::Cluster {
                warming = self.with_endpoints(&changed);
            }
            if !changed.is_empty() && Hold::concerns(kind) {
                let settling = self.is_settling();
                if self.hold.holds(settling, now) {
                    held = true;
                    continue;
                }
            }
            let Some(followed) = self.machines.get_mut(&kind) else {
                continue;
            };
            if kind == TypeUrl::Endpoint {
                followed.machine.forget(&warming);
                changed.append(&mut warming);
            }
            followed.seen = self.snapshot.only(kind);
            let response = followed.machine.on_change(&changed, &self.snapshot);
            responses.extend(response.map(|response| (kind, response)));
        }
        held |= self.answer_deferred(&mut responses, now);
        if !held {
            self.hold.release();
        }
        responses
    }

    /// Answers deferred requests if there is nothing left to wait for; returns whether there still is.
    fn answer_deferred(&mut self, responses: &mut Vec<(TypeUrl, M::Response)>, now: Instant) -> bool {
        if self.deferred.is_empty() {
            return false;
        }
        let settling = self.is_settling();
        if self.hold.holds(settling, now) {
            return true;
        }
        for (kind, request) in std::mem::take(&mut self.deferred) {
            // It does not answer anything that was sent on this stream, so it acknowledges nothing.
            let (_, response) = self.answer(kind, &request);
            responses.extend(response.map(|response| (kind, response)));
        }
        false
    }

    /// Those of the clusters that have endpoints. To Envoy, a changed cluster is a new one, which warms until it gets
    /// endpoints; on an aggregated stream, Envoy does not ask again, because it has already asked.
    fn with_endpoints(&self, clusters: &[Arc<str>]) -> Vec<Arc<str>> {
        let have = |name: &&Arc<str>| {
            [TypeUrl::Cluster, TypeUrl::Endpoint]
                .iter()
                .all(|kind| self.snapshot.get(*kind, name).is_some())
        };
        clusters.iter().filter(have).cloned().collect()
    }

    /// Whether clusters or endpoints have not arrived yet: they were sent, or the proxy is about to ask for them.
    fn is_settling(&mut self) -> bool {
        let machine = |kind| self.machines.get(&kind).map(|followed| &followed.machine);
        let endpoints = machine(TypeUrl::Endpoint);
        let is_waiting = |machine: Option<&M>| machine.is_some_and(M::is_waiting);
        let Some(settling) = &mut self.settling else {
            return false;
        };
        is_waiting(machine(TypeUrl::Cluster))
            || is_waiting(endpoints)
            || settling.is_open(&self.snapshot, |name, version| {
                endpoints.is_some_and(|endpoints| endpoints.has(name, version))
            })
    }
}

#[cfg(test)]
mod tests;
