//! One type of one state-of-the-world stream, as a pure state machine: messages and changes in, responses out.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::open::Open;
use super::{Acknowledgement, Machine, WILDCARD, names};
use crate::demand::Delta;
use crate::snapshot::{Resource, Snapshot, TypeUrl, Version};

/// A request, without what does not matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SotwRequest {
    pub(crate) names: Vec<String>,
    /// What the proxy has, if anything; of an earlier stream if it has no nonce.
    pub(crate) version: String,
    pub(crate) nonce: String,
    pub(crate) error: Option<String>,
    /// Whether an agent before this one sent what it has.
    pub(crate) inherits: bool,
}

/// A response.
#[derive(Clone, Debug, Default)]
pub(crate) struct SotwResponse {
    pub(crate) nonce: String,
    pub(crate) version: String,
    pub(crate) resources: Vec<(Arc<str>, Arc<Resource>)>,
}

/// The state of one type.
#[derive(Debug)]
pub(crate) struct SotwSubscription {
    kind: TypeUrl,
    namespace: Arc<str>,
    started: bool,
    /// The wire names that are asked for.
    names: BTreeSet<Arc<str>>,
    /// Of `names`, since they were looked at last; of Secrets alone.
    delta: Delta<Arc<str>>,
    /// Whether everything is asked for.
    wildcard: bool,
    /// Whether a name was ever given: an empty list means everything only before that.
    named: bool,
    /// What the proxy has, by wire name.
    sent: HashMap<Arc<str>, Version>,
    /// Everything, while the proxy keeps what it has of an agent before this one.
    unjudged: BTreeSet<Arc<str>>,
    open: Open,
    /// Of the last response.
    nonce: u64,
}

impl Machine for SotwSubscription {
    type Request = SotwRequest;
    type Response = SotwResponse;

    fn new(kind: TypeUrl, namespace: Arc<str>) -> Self {
        Self {
            kind,
            namespace,
            started: false,
            names: BTreeSet::new(),
            delta: Delta::default(),
            wildcard: false,
            named: false,
            sent: HashMap::new(),
            unjudged: BTreeSet::new(),
            open: Open::default(),
            nonce: 0,
        }
    }

    fn resumes(request: &SotwRequest) -> bool {
        request.nonce.is_empty() && !request.version.is_empty()
    }

    fn inherit(request: &mut SotwRequest, is_ours: impl Fn(&str) -> bool) {
        request.inherits = !is_ours(WILDCARD);
    }

    fn unjudged(&self) -> &BTreeSet<Arc<str>> {
        &self.unjudged
    }

    fn forget(&mut self, names: &[Arc<str>]) {
        names.iter().for_each(|name| drop(self.sent.remove(name)));
    }

    fn is_waiting(&self) -> bool {
        !self.open.is_empty()
    }

    fn has(&self, name: &str, version: &Version) -> bool {
        self.sent.get(name) == Some(version)
    }

    fn asked(&self) -> usize {
        self.names.len()
    }

    fn take_delta(&mut self) -> Delta<Arc<str>> {
        std::mem::take(&mut self.delta)
    }

    /// The version that a request names plays no part: the nonce says which response is meant, `error_detail` alone
    /// whether it was refused.
    fn on_request(
        &mut self,
        request: &SotwRequest,
        snapshot: &Snapshot,
    ) -> (Option<Acknowledgement>, Option<SotwResponse>) {
        let first = !std::mem::replace(&mut self.started, true);
        let acknowledgement = self.acknowledge(request);
        let given: BTreeSet<Arc<str>> = request.names.iter().map(|name| name.as_str().into()).collect();
        let stale = !request.nonce.is_empty() && request.nonce != self.nonce.to_string();
        if stale && !first {
            // What it asks for it will say again, once it has seen the response that is on its way. What it no
            // longer names is gone there all the same, and is to be answered when it is named again.
            self.narrow(&given);
            return (acknowledgement, None);
        }
        let new = self.ask(given);
        if first && self.keeps_all(request, snapshot) {
            self.unjudged.insert(WILDCARD.into());
            return (acknowledgement, None);
        }
        let response = if self.is_collection() {
            (first || !new.is_empty()).then(|| self.send(self.all(snapshot)))
        } else {
            self.respond(new, snapshot)
        };
        (acknowledgement, response)
    }

    fn on_change(&mut self, changed: &[Arc<str>], snapshot: &Snapshot) -> Option<SotwResponse> {
        // What changes has to get there, and whoever is told of one is told of all.
        let is_judged =
            !self.unjudged.is_empty() && (!changed.is_empty() || !snapshot.unjudged().has_any(self.kind));
        if is_judged {
            self.unjudged.clear();
        }
        if !self.started || (changed.is_empty() && !is_judged) {
            return None;
        }
        if self.is_collection() {
            let all = self.all(snapshot);
            let known = |(name, resource): &(Arc<str>, Arc<Resource>)| self.has(name, resource.version());
            let same = all.len() == self.sent.len() && all.iter().all(known);
            return (is_judged || !same).then(|| self.send(all));
        }
        let changed: BTreeSet<&str> = changed.iter().map(AsRef::as_ref).collect();
        let is_news = |wire: &&Arc<str>| {
            let name = self.canonical(wire);
            changed.contains(name.as_str())
                && snapshot
                    .get(self.kind, &name)
                    .is_some_and(|resource| !self.has(wire, resource.version()))
        };
        let news = self.names.iter().filter(is_news).cloned().collect();
        self.respond(news, snapshot)
    }
}

impl SotwSubscription {
    /// Clusters and listeners: a response holds all of them, and what is not in it is gone.
    fn is_collection(&self) -> bool {
        matches!(self.kind, TypeUrl::Cluster | TypeUrl::Listener)
    }

    /// Whether a response would take away what may be of objects that cannot be read: which names the proxy has, it does
    /// not say.
    fn keeps_all(&self, request: &SotwRequest, snapshot: &Snapshot) -> bool {
        self.is_collection()
            && Self::resumes(request)
            && request.inherits
            && snapshot.unjudged().has_any(self.kind)
    }

    fn acknowledge(&mut self, request: &SotwRequest) -> Option<Acknowledgement> {
        Some(Acknowledgement {
            resources: self.open.take_last(&request.nonce)?,
            refused: request.error.clone(),
        })
    }

    /// Takes the list of names, and says which of them were not asked for before.
    fn ask(&mut self, given: BTreeSet<Arc<str>>) -> BTreeSet<Arc<str>> {
        let everything = self.narrow(&given);
        let mut new: BTreeSet<_> = given.difference(&self.names).cloned().collect();
        if self.kind == TypeUrl::Secret {
            let added = new
                .iter()
                .map(|wire| names::canonical(wire, &self.namespace).into());
            self.delta.added.extend(added);
        }
        if everything && !self.wildcard {
            new.insert(WILDCARD.into());
        }
        self.wildcard = everything;
        self.names = given;
        new
    }

    /// Forgets what the list does not name any more, and says whether the list asks for everything.
    fn narrow(&mut self, given: &BTreeSet<Arc<str>>) -> bool {
        self.named |= !given.is_empty();
        let everything = self.is_collection() && (given.contains(WILDCARD) || !self.named);
        self.wildcard &= everything;
        if self.kind == TypeUrl::Secret {
            let gone = self.names.difference(given);
            self.delta
                .removed
                .extend(gone.map(|wire| names::canonical(wire, &self.namespace).into()));
        }
        self.names.retain(|name| given.contains(name));
        self.sent.retain(|name, _| everything || given.contains(name));
        everything
    }

    /// The state of the world, as far as it is asked for.
    fn all(&self, snapshot: &Snapshot) -> Vec<(Arc<str>, Arc<Resource>)> {
        snapshot
            .names(self.kind)
            .filter(|name| self.wildcard || self.names.contains(*name))
            .filter_map(|name| Some((Arc::clone(name), Arc::clone(snapshot.get(self.kind, name)?))))
            .collect()
    }

    /// Those of the names that exist. Absence cannot be said here: without any there is no response at all.
    fn respond(&mut self, answer: BTreeSet<Arc<str>>, snapshot: &Snapshot) -> Option<SotwResponse> {
        let resources: Vec<_> = answer
            .into_iter()
            .filter_map(|wire| {
                let resource = snapshot.get(self.kind, &self.canonical(&wire))?;
                Some((wire, Arc::clone(resource)))
            })
            .collect();
        (!resources.is_empty()).then(|| self.send(resources))
    }

    fn send(&mut self, resources: Vec<(Arc<str>, Arc<Resource>)>) -> SotwResponse {
        self.nonce += 1;
        if self.is_collection() {
            self.sent.clear();
        }
        let told = resources
            .iter()
            .map(|(wire, resource)| (Arc::clone(wire), Arc::clone(resource.version())));
        self.sent.extend(told.clone());
        self.open.insert(
            self.nonce,
            told.map(|(wire, version)| (wire, Some(version))).collect(),
        );
        SotwResponse {
            nonce: self.nonce.to_string(),
            version: version(&resources),
            resources,
        }
    }

    fn canonical(&self, wire: &str) -> String {
        match self.kind {
            TypeUrl::Secret => names::canonical(wire, &self.namespace).into_owned(),
            _ => wire.to_owned(),
        }
    }
}

/// Of one resource its own, of several a hash of theirs.
fn version(resources: &[(Arc<str>, Arc<Resource>)]) -> String {
    if let [(_, only)] = resources {
        return only.version().to_string();
    }
    let all: Vec<u8> = resources
        .iter()
        .flat_map(|(name, resource)| [name.as_bytes(), resource.version().as_bytes()].concat())
        .collect();
    Resource::new(all).version().to_string()
}

#[cfg(test)]
mod tests;
