//! All collections as one: nothing is sent before all first lists are complete; of later lists, only the differences
//! are sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kube::ResourceExt as _;
use kube::core::DynamicObject;
use sealgate_model::manifest;
use sealgate_model::{Kind, Meta, ObjectRef, SourceEvent, SourceObject, Step};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::events::Seen;
use super::follow::Heard;

/// An agent that may not read an optional kind starts without it after this long. A restarted agent whose permissions
/// are being changed must not immediately remove what its proxies have.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message from a collection.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// None if there is no such kind.
    pub(super) told: Option<Heard<SourceObject>>,
}

/// An object of the API as an entry of the source.
pub(super) fn entry(kind: Kind, object: DynamicObject) -> SourceObject {
    let meta = Meta {
        namespace: object.namespace().unwrap_or_default().into(),
        name: object.name_any().into(),
        labels: object.labels().clone(),
        annotations: object.annotations().clone(),
        created: object
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0.as_second()),
    };
    let value = match object.data {
        Value::Object(fields) => Value::Object(fields),
        _ => Value::Object(serde_json::Map::new()),
    };
    manifest::decode(kind, meta, value)
}

/// See the module.
pub(super) struct Objects {
    sender: UnboundedSender<Step>,
    seen: Seen,
    /// Kinds whose first list is not complete; empty once everything was sent.
    pending: BTreeSet<Kind>,
    /// The objects of the first lists, until they are sent.
    first: BTreeMap<ObjectRef, SourceObject>,
    known: BTreeSet<ObjectRef>,
    /// When to stop waiting for kinds that may not be read.
    patience: BTreeMap<Kind, Instant>,
    /// Whether the first list was sent.
    told: bool,
}

impl Objects {
    pub(super) fn new(sender: UnboundedSender<Step>, seen: Seen) -> Self {
        Self {
            sender,
            seen,
            pending: Kind::rows()
                .filter(|row| row.watch.is_some())
                .map(|row| row.kind)
                .collect(),
            first: BTreeMap::new(),
            known: BTreeSet::new(),
            patience: BTreeMap::new(),
            told: false,
        }
    }

    pub(super) async fn run(mut self, mut messages: UnboundedReceiver<Message>) {
        loop {
            let deadline = self.patience.values().min().copied();
            let events = tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.take(message),
                    None => return,
                },
                () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)).await }, if deadline.is_some() => {
                    self.lose_patience(Instant::now())
                }
            };
            if !events.is_empty() && self.sender.send(events).is_err() {
                return;
            }
        }
    }

    fn take(&mut self, Message { kind, told }: Message) -> Step {
        let events = match told {
            Some(Heard::Listed(entries)) => {
                self.settle(kind);
                self.list(kind, entries)
            }
            Some(Heard::Applied(entry)) => vec![SourceEvent::Apply(entry)],
            Some(Heard::Deleted(entry)) => vec![SourceEvent::Delete(entry.object_ref)],
            Some(Heard::Forbidden) => {
                self.be_patient(kind);
                Vec::new()
            }
            // What is known about it is kept: a definition that is being replaced is missing for a moment.
            None => {
                self.settle(kind);
                Vec::new()
            }
        };
        for event in &events {
            match event {
                SourceEvent::Apply(entry) => drop(self.known.insert(entry.object_ref.clone())),
                SourceEvent::Delete(name) => {
                    self.known.remove(name);
                    self.seen.forget(name);
                }
                SourceEvent::Reset(_) => {}
            }
        }
        self.tell(events)
    }

    /// Takes a complete list: what is not in it was deleted.
    fn list(&self, kind: Kind, entries: Vec<SourceObject>) -> Step {
        let listed: BTreeSet<&ObjectRef> = entries.iter().map(|entry| &entry.object_ref).collect();
        let known = self.known.iter().filter(|name| name.kind == kind);
        let gone: Step = known
            .filter(|name| !listed.contains(name))
            .cloned()
            .map(SourceEvent::Delete)
            .collect();
        gone.into_iter()
            .chain(entries.into_iter().map(SourceEvent::Apply))
            .collect()
    }

    fn settle(&mut self, kind: Kind) {
        self.pending.remove(&kind);
        self.patience.remove(&kind);
    }

    fn be_patient(&mut self, kind: Kind) {
        let is_vital = kind.row().watch.as_ref().is_some_and(|watch| watch.is_vital);
        if self.pending.contains(&kind) && !is_vital {
            self.patience
                .entry(kind)
                .or_insert_with(|| Instant::now() + PATIENCE);
        }
    }

    fn lose_patience(&mut self, now: Instant) -> Step {
        let due: Vec<Kind> = self
            .patience
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(kind, _)| *kind)
            .collect();
        due.iter().for_each(|kind| self.settle(*kind));
        self.tell(Vec::new())
    }

    /// Returns the events that may be sent: they are collected into one first list until that is complete.
    fn tell(&mut self, events: Step) -> Step {
        if self.told {
            return events;
        }
        for event in events {
            match event {
                SourceEvent::Apply(entry) => drop(self.first.insert(entry.object_ref.clone(), entry)),
                SourceEvent::Delete(name) => drop(self.first.remove(&name)),
                SourceEvent::Reset(_) => {}
            }
        }
        if !self.pending.is_empty() {
            return Vec::new();
        }
        self.told = true;
        vec![SourceEvent::Reset(of_age(std::mem::take(&mut self.first)))]
    }
}

/// The oldest first: of two that conflict, it wins.
pub(super) fn of_age(entries: BTreeMap<ObjectRef, SourceObject>) -> Vec<SourceObject> {
    let mut entries: Vec<SourceObject> = entries.into_values().collect();
    entries.sort_by_key(|entry| entry.object.as_ref().map(|object| object.meta().created));
    entries
}
