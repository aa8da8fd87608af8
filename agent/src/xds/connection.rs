//! One stream: a state machine per type, fed with the proxy's messages and with snapshots. Still no IO.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::ordering::Hold;
use super::{Acknowledgement, Machine};
use crate::snapshot::{Snapshot, TypeUrl};

/// See the module.
#[derive(Debug)]
pub(crate) struct Connection<M> {
    namespace: Arc<str>,
    snapshot: Arc<Snapshot>,
    machines: BTreeMap<TypeUrl, Followed<M>>,
    hold: Hold,
}

#[derive(Debug)]
struct Followed<M> {
    machine: M,
    /// Up to which snapshot the machine knows the changes.
    seen: Arc<Snapshot>,
}

impl<M: Machine> Connection<M> {
    pub(crate) fn new(namespace: Arc<str>, snapshot: Arc<Snapshot>) -> Self {
        Self {
            namespace,
            snapshot,
            machines: BTreeMap::new(),
            hold: Hold::default(),
        }
    }

    pub(crate) fn on_request(
        &mut self,
        kind: TypeUrl,
        request: &M::Request,
        now: Instant,
    ) -> (Option<Acknowledgement>, Vec<(TypeUrl, M::Response)>) {
        let followed = self.machines.entry(kind).or_insert_with(|| Followed {
            machine: M::new(kind, Arc::clone(&self.namespace)),
            seen: Arc::clone(&self.snapshot),
        });
        let (acknowledgement, response) = followed.machine.on_request(request, &self.snapshot);
        let mut responses: Vec<_> = response.map(|response| (kind, response)).into_iter().collect();
        responses.extend(self.flush(now));
        (acknowledgement, responses)
    }

    pub(crate) fn on_snapshot(
        &mut self,
        snapshot: Arc<Snapshot>,
        now: Instant,
    ) -> Vec<(TypeUrl, M::Response)> {
        self.snapshot = snapshot;
        self.flush(now)
    }

    /// The Secrets that are asked for, if they changed since that revision.
    pub(crate) fn secrets_since(&self, revision: u64) -> Option<(u64, BTreeSet<Arc<str>>)> {
        let machine = &self.machines.get(&TypeUrl::Secret)?.machine;
        (machine.revision() != revision).then(|| (machine.revision(), machine.names()))
    }

    /// How many names of a kind are asked for.
    pub(crate) fn asked(&self, kind: TypeUrl) -> usize {
        self.machines
            .get(&kind)
            .map_or(0, |followed| followed.machine.asked())
    }

    /// When something that is held goes out at the latest: call [`Self::flush`] then.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.hold.deadline()
    }

    /// Everything that changed and may go out, in order.
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
            // Whether clusters settle is a look at all of them: only a change is worth it.
            if !changed.is_empty() && Hold::concerns(kind) {
                let settling = self.settling();
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
            followed.seen = Arc::clone(&self.snapshot);
            let response = followed.machine.on_change(&changed, &self.snapshot);
            responses.extend(response.map(|response| (kind, response)));
        }
        if !held {
            self.hold.release();
        }
        responses
    }

    /// Those of the clusters that have endpoints. A cluster that changes is a new one to Envoy, and warms until it is
    /// given endpoints; on an aggregated stream it does not ask, for it has asked already.
    fn with_endpoints(&self, clusters: &[Arc<str>]) -> Vec<Arc<str>> {
        let have = |name: &&Arc<str>| {
            [TypeUrl::Cluster, TypeUrl::Endpoint]
                .iter()
                .all(|kind| self.snapshot.get(*kind, name).is_some())
        };
        clusters.iter().filter(have).cloned().collect()
    }

    /// Whether clusters or endpoints that the proxy was sent, or is about to ask for, are on their way.
    fn settling(&self) -> bool {
        let Some(clusters) = self.machines.get(&TypeUrl::Cluster) else {
            return false;
        };
        let endpoints = self.machines.get(&TypeUrl::Endpoint);
        if clusters.machine.is_waiting() || endpoints.is_some_and(|endpoints| endpoints.machine.is_waiting())
        {
            return true;
        }
        self.snapshot.names(TypeUrl::Endpoint).any(|name| {
            let resource = self.snapshot.get(TypeUrl::Endpoint, name);
            let has = |resource: &Arc<_>| {
                let resource: &crate::snapshot::Resource = resource;
                endpoints.is_some_and(|endpoints| endpoints.machine.has(name, resource.version()))
            };
            !resource.is_some_and(has)
        })
    }
}

#[cfg(test)]
mod tests;
