//! One type of one state-of-the-world stream, as a pure state machine: messages and changes in, responses out.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::open::Open;
use super::{Acknowledgement, Machine, WILDCARD, names};
use crate::demand::Delta;
use crate::snapshot::{Resource, Snapshot, TypeUrl, Version};

/// The relevant parts of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SotwRequest {
    pub(crate) names: Vec<String>,
    /// The version that the proxy has, if any; from an earlier stream if there is no nonce.
    pub(crate) version: String,
    pub(crate) nonce: String,
    pub(crate) error: Option<String>,
    /// Whether a previous agent sent what it has.
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
    /// The requested names on the wire.
    names: BTreeSet<Arc<str>>,
    /// Changes of `names` since the last [`Machine::take_delta`]; only for Secrets.
    delta: Delta<Arc<str>>,
    /// Whether everything is requested.
    wildcard: bool,
    /// Whether a name was ever given: an empty list means everything only before that.
    named: bool,
    /// What the proxy has, by name on the wire.
    sent: HashMap<Arc<str>, Version>,
    /// The wildcard, while the proxy keeps what it has from a previous agent.
    unjudged: BTreeSet<Arc<str>>,
    open: Open,
    /// The nonce of the last response.
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

    /// The version in a request does not matter: the nonce says which response is meant, and only `error_detail`
    /// whether it was rejected.
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
            // The proxy will repeat what it asks for once it has seen the response that is being sent. But names that
            // it no longer lists are gone there, and must be answered when it names them again.
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
        // Changes must be sent, and a response with one resource must have all.
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

    /// Whether a response could remove resources of objects that cannot be read: the proxy does not say which names it
    /// has.
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

    /// Takes the list of names; returns those that were not requested before.
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

    /// Forgets what the list no longer names; returns whether the list asks for everything.
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

    /// The state of the world, as far as it is requested.
    fn all(&self, snapshot: &Snapshot) -> Vec<(Arc<str>, Arc<Resource>)> {
        snapshot
            .names(self.kind)
            .filter(|name| self.wildcard || self.names.contains(*name))
            .filter_map(|name| Some((Arc::clone(name), Arc::clone(snapshot.get(self.kind, name)?))))
            .collect()
    }

    /// Responds with those of the names that exist. Absence cannot be expressed here: if none exists, there is no
    /// response at all.
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

/// The version of a single resource; for several, a hash of theirs.
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
