//! One type of one Delta stream, as a pure state machine: messages and changes in, responses out.
//!
//! Follows the xDS protocol's incremental variant: every subscribed name is answered, also when it is subscribed again;
//! what was sent is not sent again until it changes, whether it was accepted or rejected. A rejected response is sent
//! again in halves, down to the single resource that is rejected: Envoy may have dropped others with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::open::Open;
use super::{Acknowledgement, Machine, WILDCARD, names};
use crate::demand::Delta;
use crate::snapshot::{Resource, Snapshot, TypeUrl, Version};

/// The relevant parts of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeltaRequest {
    pub(crate) subscribe: Vec<String>,
    pub(crate) unsubscribe: Vec<String>,
    pub(crate) initial_versions: BTreeMap<String, String>,
    /// Those of them that a previous agent sent.
    pub(crate) inherited: BTreeSet<String>,
    pub(crate) nonce: String,
    pub(crate) error: Option<String>,
}

/// A response. Resources without a body, which would be heartbeats, are not used.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeltaResponse {
    pub(crate) nonce: String,
    pub(crate) resources: Vec<(Arc<str>, Arc<Resource>)>,
    pub(crate) removed: Vec<Arc<str>>,
}

/// The state of one type.
#[derive(Debug)]
pub(crate) struct DeltaSubscription {
    kind: TypeUrl,
    namespace: Arc<str>,
    started: bool,
    wildcard: bool,
    /// Explicitly subscribed names on the wire, by the name in the snapshot.
    asked: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Changes of `asked` since the last [`Machine::take_delta`]; only for Secrets.
    delta: Delta<Arc<str>>,
    /// What the proxy has, by name on the wire.
    sent: HashMap<Arc<str>, Version>,
    /// What it keeps from a previous agent.
    unjudged: BTreeSet<Arc<str>>,
    open: Open,
    /// Parts of rejected responses, which are sent one after the other.
    suspects: VecDeque<Vec<Arc<str>>>,
    next_nonce: u64,
}

impl Machine for DeltaSubscription {
    type Request = DeltaRequest;
    type Response = DeltaResponse;

    fn new(kind: TypeUrl, namespace: Arc<str>) -> Self {
        Self {
            kind,
            namespace,
            started: false,
            wildcard: false,
            asked: BTreeMap::new(),
            delta: Delta::default(),
            sent: HashMap::new(),
            unjudged: BTreeSet::new(),
            open: Open::default(),
            suspects: VecDeque::new(),
            next_nonce: 1,
        }
    }

    fn resumes(request: &DeltaRequest) -> bool {
        !request.initial_versions.is_empty()
    }

    fn inherit(request: &mut DeltaRequest, is_ours: impl Fn(&str) -> bool) {
        let brought = request.initial_versions.keys();
        request.inherited = brought.filter(|name| !is_ours(name)).cloned().collect();
    }

    fn unjudged(&self) -> &BTreeSet<Arc<str>> {
        &self.unjudged
    }

    fn forget(&mut self, names: &[Arc<str>]) {
        names.iter().for_each(|name| drop(self.sent.remove(name)));
    }

    fn is_waiting(&self) -> bool {
        !self.open.is_empty() || !self.suspects.is_empty()
    }

    fn has(&self, name: &str, version: &Version) -> bool {
        self.sent.get(name) == Some(version) || self.unjudged.contains(name)
    }

    fn asked(&self) -> usize {
        self.asked.len()
    }

    fn take_delta(&mut self) -> Delta<Arc<str>> {
        std::mem::take(&mut self.delta)
    }

    fn on_request(
        &mut self,
        request: &DeltaRequest,
        snapshot: &Snapshot,
    ) -> (Option<Acknowledgement>, Option<DeltaResponse>) {
        let acknowledgement = self.acknowledge(request);
        let first = !std::mem::replace(&mut self.started, true);
        let mut answer = BTreeSet::new();
        // Listeners and clusters may be requested without names; Secrets never.
        let implicit = first && request.subscribe.is_empty() && self.is_collection();
        if first {
            answer.extend(self.remember(request, snapshot));
        }
        // The wildcard first: a proxy that also unsubscribes from a name does not expect an answer about the name.
        let (everything, names): (Vec<_>, Vec<_>) =
            request.unsubscribe.iter().partition(|name| *name == WILDCARD);
        for name in everything.into_iter().chain(names) {
            answer.extend(self.unsubscribe(name));
        }
        for name in &request.subscribe {
            answer.extend(self.subscribe(name, snapshot));
        }
        if implicit {
            answer.extend(self.subscribe(WILDCARD, snapshot));
        }
        answer.retain(|wire| !self.keeps(wire, snapshot));
        // Envoy does not start before it knows that there are no resources.
        let everything = implicit || request.subscribe.iter().any(|name| name == WILDCARD);
        let empty = answer.is_empty() && everything && self.wildcard;
        let response = if empty {
            Some(self.send(answer, snapshot))
        } else {
            self.respond(answer, snapshot)
        };
        let response = response.or_else(|| self.send_suspects(snapshot));
        (acknowledgement, response)
    }

    fn on_change(&mut self, changed: &[Arc<str>], snapshot: &Snapshot) -> Option<DeltaResponse> {
        let mut answer = BTreeSet::new();
        for name in changed {
            let version = snapshot.get(self.kind, name).map(|resource| resource.version());
            for wire in self.wire_names(name) {
                if self.sent.get(&wire) != version {
                    answer.insert(wire);
                }
            }
        }
        answer.extend(self.unjudged.iter().cloned());
        answer.retain(|wire| !self.keeps(wire, snapshot));
        self.respond(answer, snapshot)
    }
}

impl DeltaSubscription {
    fn is_collection(&self) -> bool {
        matches!(self.kind, TypeUrl::Cluster | TypeUrl::Listener)
    }

    fn acknowledge(&mut self, request: &DeltaRequest) -> Option<Acknowledgement> {
        let mut resources = self.open.take(&request.nonce)?;
        // The halves will show which of several it is.
        if request.error.is_some() && resources.len() > 1 {
            let names: Vec<_> = resources.drain(..).map(|(wire, _)| wire).collect();
            let (first, second) = names.split_at(names.len() / 2);
            self.suspects.push_front(second.to_vec());
            self.suspects.push_front(first.to_vec());
        }
        Some(Acknowledgement {
            resources,
            refused: request.error.clone(),
        })
    }

    /// The next part of a rejected response.
    fn send_suspects(&mut self, snapshot: &Snapshot) -> Option<DeltaResponse> {
        while let Some(suspects) = self.suspects.pop_front() {
            let asked = suspects.into_iter().filter(|wire| self.is_asked(wire));
            let asked: BTreeSet<_> = asked.collect();
            if !asked.is_empty() {
                return Some(self.send(asked, snapshot));
            }
        }
        None
    }

    fn is_asked(&self, wire: &str) -> bool {
        let asked = self.asked.get(self.canonical(wire).as_str());
        self.wildcard || asked.is_some_and(|wires| wires.contains(wire))
    }

    /// Whether the proxy keeps a resource from a previous agent; once its state is known, it no longer does.
    fn keeps(&mut self, wire: &Arc<str>, snapshot: &Snapshot) -> bool {
        if !self.unjudged.contains(wire) {
            return false;
        }
        let keeps = snapshot.is_unjudged(self.kind, &self.canonical(wire));
        if !keeps {
            self.unjudged.remove(wire);
        }
        keeps
    }

    /// Takes what the proxy has from an earlier stream: it is only told what was removed meanwhile; everything else is
    /// answered as if it were new.
    fn remember(&mut self, request: &DeltaRequest, snapshot: &Snapshot) -> Vec<Arc<str>> {
        let inherited = request.inherited.iter().map(|wire| Arc::from(wire.as_str()));
        self.unjudged = inherited
            .filter(|wire: &Arc<str>| snapshot.is_unjudged(self.kind, &self.canonical(wire)))
            .collect();
        let brought = request
            .initial_versions
            .keys()
            .map(|wire| Arc::<str>::from(wire.as_str()));
        brought
            .filter(|wire| snapshot.get(self.kind, &self.canonical(wire)).is_none())
            .collect()
    }

    fn subscribe(&mut self, wire: &str, snapshot: &Snapshot) -> Vec<Arc<str>> {
        if wire == WILDCARD {
            // No proxy is told which Secrets there are.
            self.wildcard = self.kind != TypeUrl::Secret;
            let all = snapshot.names(self.kind).filter(|_| self.wildcard);
            let all: Vec<_> = all.cloned().collect();
            all.iter().for_each(|name| drop(self.sent.remove(name)));
            return all;
        }
        let name: Arc<str> = self.canonical(wire).into();
        let wire: Arc<str> = wire.into();
        self.sent.remove(&wire);
        let wires = self.asked.entry(Arc::clone(&name)).or_default();
        if wires.insert(Arc::clone(&wire)) && self.kind == TypeUrl::Secret {
            self.delta.added.push(name);
        }
        vec![wire]
    }

    /// Returns the name if it must be answered: a proxy that named a resource and still asks for everything cannot know
    /// whether the resource is part of that.
    fn unsubscribe(&mut self, wire: &str) -> Option<Arc<str>> {
        if wire == WILDCARD {
            self.wildcard = false;
            let asked: BTreeSet<_> = self.asked.values().flatten().cloned().collect();
            self.sent.retain(|name, _| asked.contains(name));
            return None;
        }
        let name = self.canonical(wire);
        let wires = self.asked.get_mut(name.as_str())?;
        let asked = wires.take(wire)?;
        if wires.is_empty() {
            self.asked.remove(name.as_str());
        }
        if self.kind == TypeUrl::Secret {
            self.delta.removed.push(name.into());
        }
        self.sent.remove(wire);
        self.unjudged.remove(wire);
        self.wildcard.then_some(asked)
    }

    fn wire_names(&self, name: &Arc<str>) -> Vec<Arc<str>> {
        let asked = self.asked.get(name).into_iter().flatten().cloned();
        asked.chain(self.wildcard.then(|| Arc::clone(name))).collect()
    }

    fn respond(&mut self, answer: BTreeSet<Arc<str>>, snapshot: &Snapshot) -> Option<DeltaResponse> {
        (!answer.is_empty()).then(|| self.send(answer, snapshot))
    }

    fn send(&mut self, answer: BTreeSet<Arc<str>>, snapshot: &Snapshot) -> DeltaResponse {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        let mut response = DeltaResponse {
            nonce: nonce.to_string(),
            ..DeltaResponse::default()
        };
        let mut told = Vec::with_capacity(answer.len());
        for wire in answer {
            if let Some(resource) = snapshot.get(self.kind, &self.canonical(&wire)) {
                self.sent
                    .insert(Arc::clone(&wire), Arc::clone(resource.version()));
                told.push((Arc::clone(&wire), Some(Arc::clone(resource.version()))));
                response.resources.push((wire, Arc::clone(resource)));
            } else {
                self.sent.remove(&wire);
                told.push((Arc::clone(&wire), None));
                response.removed.push(wire);
            }
        }
        self.open.insert(nonce, told);
        response
    }

    fn canonical(&self, wire: &str) -> String {
        match self.kind {
            TypeUrl::Secret => names::canonical(wire, &self.namespace).into_owned(),
            _ => wire.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
