//! Kubernetes Events about objects that are rejected or valid again, which `kubectl describe` shows to those who
//! applied them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter as Author};
use sealgate_model::{Finding, ObjectRef, Severity};
use tokio::sync::mpsc;

use super::follow::explain;
use crate::vital::Vital;
use sealgate_model::ledger::News;

/// The maximum number of news that wait for the API server; more are dropped, but the log and the status have them.
const WAITING: usize = 256;
/// The shortest interval between Events.
const PACE: Duration = Duration::from_millis(25);
/// The API's limit is 1 kB.
const LONGEST_NOTE: usize = 1000;

/// What an Event needs to know about an object besides its name.
#[derive(Clone, Debug)]
struct ObjectIdentity {
    api_version: String,
    uid: Option<String>,
}

/// The objects that were seen; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<BTreeMap<ObjectRef, ObjectIdentity>>>);

impl Seen {
    pub(super) fn note(&self, object: &ObjectRef, api_version: &str, uid: Option<String>) {
        let identity = ObjectIdentity {
            api_version: api_version.to_owned(),
            uid,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(object.clone(), identity);
    }

    pub(super) fn forget(&self, object: &ObjectRef) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(object);
    }

    fn reference(&self, object: &ObjectRef) -> Option<ObjectReference> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = seen.get(object)?.clone();
        Some(ObjectReference {
            api_version: Some(identity.api_version),
            kind: Some(object.kind.as_str().to_owned()),
            namespace: Some(object.namespace.to_string()),
            name: Some(object.name.to_string()),
            uid: identity.uid,
            ..ObjectReference::default()
        })
    }
}

/// Sends news to the API server; never waits.
#[derive(Clone, Debug)]
pub struct Reporter {
    seen: Seen,
    sender: mpsc::Sender<(News, ObjectReference)>,
}

impl Reporter {
    pub(super) fn spawn(client: Client, seen: Seen, vital: &Vital) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        vital.spawn("the writer of Events", publish(client, receiver));
        Self { seen, sender }
    }

    /// Hands over news about an object of the API. Warnings are left to the status, except those that appear without a
    /// change.
    pub fn report(&self, news: &News) {
        let object = match news {
            News::Found(finding) if finding.severity == Severity::Error || finding.code.comes_by_itself() => {
                &finding.object
            }
            News::Found(_) => return,
            News::Good(object) => object,
        };
        // Looked up now: the object may be gone when its turn comes.
        if let Some(reference) = self.seen.reference(object) {
            // Full: a flood of rejections is not worth the memory.
            let _ = self.sender.try_send((news.clone(), reference));
        }
    }
}

async fn publish(client: Client, mut news: mpsc::Receiver<(News, ObjectReference)>) {
    let recorder = Recorder::new(client, Author::from("sealgate"));
    let mut failing = false;
    while let Some((news, reference)) = news.recv().await {
        match recorder.publish(&event(&news), &reference).await {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!("cannot write Events: {}", explain(&error)),
            Err(error) => {
                failing = true;
                tracing::warn!("cannot write Events: {}", explain(&error));
            }
        }
        tokio::time::sleep(PACE).await;
    }
}

fn event(news: &News) -> Event {
    let (type_, reason, note) = match news {
        News::Found(finding) => (EventType::Warning, reason(finding), note(finding)),
        News::Good(_) => (EventType::Normal, "Accepted".to_owned(), "valid again".to_owned()),
    };
    Event {
        type_,
        reason,
        note: Some(note),
        action: "Check".to_owned(),
        secondary: None,
    }
}

/// The code, spelled like reasons of Events: `key-mismatch` becomes `KeyMismatch`.
fn reason(finding: &Finding) -> String {
    let parts = finding.code.as_str().split('-').map(|part| {
        let mut letters = part.chars();
        letters
            .next()
            .map(|first| first.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect::<String>()
    });
    parts.collect()
}

fn note(finding: &Finding) -> String {
    let field = finding
        .field
        .as_ref()
        .map(|field| format!("{field}: "))
        .unwrap_or_default();
    let text = format!("{field}{}", finding.message);
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= LONGEST_NOTE)
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use sealgate_model::{Code, Kind};

    use super::*;

    #[test]
    fn an_event_says_what_the_finding_says() {
        let finding = Finding {
            severity: Severity::Error,
            code: Code::KeyMismatch,
            object: ObjectRef::new(Kind::Secret, "gw", "a"),
            field: Some("data[tls.key]".to_owned()),
            message: "é".repeat(2000),
        };
        let event = event(&News::Found(finding));
        assert_eq!(event.reason, "KeyMismatch");
        let note = event.note.unwrap_or_default();
        assert!(note.starts_with("data[tls.key]: é") && note.len() <= LONGEST_NOTE + 1);
    }
}
