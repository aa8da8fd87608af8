//! One type of one state-of-the-world stream, as a pure state machine: messages and changes in, responses out.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{Acknowledgement, Machine, Told, names};
use crate::snapshot::{Resource, Snapshot, TypeUrl, Version};

/// A request, without what does not matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) names: Vec<String>,
    pub(crate) nonce: String,
    pub(crate) error: Option<String>,
}

/// A response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub(crate) nonce: String,
    pub(crate) version: String,
    pub(crate) resources: Vec<(Arc<str>, Arc<Resource>)>,
}

/// The state of one type.
#[derive(Debug)]
pub(crate) struct Subscription {
    kind: TypeUrl,
    namespace: Arc<str>,
    started: bool,
    names: BTreeSet<Arc<str>>,
    sent: HashMap<Arc<str>, Version>,
    /// The last response, until it is taken or refused.
    open: Option<Vec<Told>>,
    nonce: u64,
}

impl Machine for Subscription {
    type Request = Request;
    type Response = Response;

    fn new(kind: TypeUrl, namespace: Arc<str>) -> Self {
        Self {
            kind,
            namespace,
            started: false,
            names: BTreeSet::new(),
            sent: HashMap::new(),
            open: None,
            nonce: 0,
        }
    }

    /// Whether the last response was neither taken nor refused yet.
    fn is_waiting(&self) -> bool {
        self.open.is_some()
    }

    /// Whether the proxy was sent this name's current version.
    fn has(&self, name: &str, version: &Version) -> bool {
        self.sent.get(name) == Some(version)
    }

    /// Takes a request: what it says about the last response, and the answer to what it asks for. The version that
    /// it names plays no part: the nonce says which response is meant, `error_detail` alone whether it was refused.
    fn on_request(
        &mut self,
        request: &Request,
        snapshot: &Snapshot,
    ) -> (Option<Acknowledgement>, Option<Response>) {
        let first = !std::mem::replace(&mut self.started, true);
        let current = self.nonce.to_string();
        if !first && !request.nonce.is_empty() && request.nonce != current {
            return (None, None);
        }
        let acknowledgement = (!request.nonce.is_empty() && request.nonce == current)
            .then(|| self.open.take())
            .flatten()
            .map(|resources| Acknowledgement {
                resources,
                refused: request.error.clone(),
            });
        let asked: BTreeSet<Arc<str>> = request.names.iter().map(|name| name.as_str().into()).collect();
        let restarted = first || request.nonce.is_empty();
        let new = asked
            .iter()
            .filter(|name| restarted || !self.names.contains(*name))
            .cloned()
            .collect();
        let changed = restarted || asked != self.names;
        self.sent
            .retain(|name, _| asked.is_empty() || asked.contains(name));
        self.names = asked;
        let response = if !changed {
            None
        } else if self.is_collection() {
            self.all(snapshot)
        } else {
            self.respond(new, snapshot)
        };
        (acknowledgement, response)
    }

    /// Takes the names (the snapshot's) whose resources changed.
    fn on_change(&mut self, changed: &[Arc<str>], snapshot: &Snapshot) -> Option<Response> {
        if !self.started || changed.is_empty() {
            return None;
        }
        if self.is_collection() {
            return self.all(snapshot);
        }
        let changed: BTreeSet<&str> = changed.iter().map(AsRef::as_ref).collect();
        let of_interest = |wire: &&Arc<str>| {
            let name = self.canonical(wire);
            changed.contains(name.as_str())
                && snapshot
                    .get(self.kind, &name)
                    .is_some_and(|resource| !self.has(wire, resource.version()))
        };
        let answer = self.names.iter().filter(of_interest).cloned().collect();
        self.respond(answer, snapshot)
    }
}

impl Subscription {
    fn is_collection(&self) -> bool {
        matches!(self.kind, TypeUrl::Cluster | TypeUrl::Listener)
    }

    /// The state of the world: what is not in it is gone.
    fn all(&mut self, snapshot: &Snapshot) -> Option<Response> {
        let all = snapshot
            .names(self.kind)
            .filter(|name| self.names.is_empty() || self.names.contains(*name));
        let resources: Vec<_> = all
            .filter_map(|name| Some((Arc::clone(name), Arc::clone(snapshot.get(self.kind, name)?))))
            .collect();
        self.sent.clear();
        Some(self.send(resources))
    }

    /// Those of the names that exist. Absence cannot be said here: without any there is no response at all.
    fn respond(&mut self, answer: BTreeSet<Arc<str>>, snapshot: &Snapshot) -> Option<Response> {
        let resources: Vec<_> = answer
            .into_iter()
            .filter_map(|wire| {
                let resource = snapshot.get(self.kind, &self.canonical(&wire))?;
                Some((wire, Arc::clone(resource)))
            })
            .collect();
        (!resources.is_empty()).then(|| self.send(resources))
    }

    fn send(&mut self, resources: Vec<(Arc<str>, Arc<Resource>)>) -> Response {
        self.nonce += 1;
        let told = resources
            .iter()
            .map(|(wire, resource)| (Arc::clone(wire), Arc::clone(resource.version())));
        self.sent.extend(told.clone());
        self.open = Some(told.map(|(wire, version)| (wire, Some(version))).collect());
        Response {
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
