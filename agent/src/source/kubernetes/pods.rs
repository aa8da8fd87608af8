//! Names and labels of Pods in the namespaces where a subset of a Service needs them: one metadata watch for each.
//! Everything else that the API server sends is dropped immediately.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdSet;
use k8s_openapi::api::core::v1::Pod;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use sealgate_model::{Kind, Meta, Object, ObjectRef, SourceEvent, SourceObject, Step};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::KubernetesSource;
use super::follow::{Delays, Heard, follow};
use crate::deadlines::Deadlines;
use crate::pod_demand::PodNamespaces;
use crate::source::health::{Health, ListedPart};

/// A namespace that no subset needs any more is followed a little longer, as routes may come back.
const LINGER: Duration = Duration::from_secs(30);

/// A message from the watch of a namespace.
struct PodNews {
    namespace: Arc<str>,
    heard: Heard<SourceObject>,
}

/// The watch of a namespace; ends with this value.
struct NamespaceWatch {
    task: JoinHandle<()>,
    /// The pods that were sent.
    known: BTreeSet<ObjectRef>,
}

impl Drop for NamespaceWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// See the module.
pub(super) struct PodReader {
    source: KubernetesSource,
    sender: mpsc::UnboundedSender<Step>,
    health: Health,
    news: mpsc::UnboundedSender<PodNews>,
    watches: BTreeMap<Arc<str>, NamespaceWatch>,
    /// Namespaces that no subset needs any more, and until when they are still followed.
    leaving: Deadlines<Arc<str>, Instant>,
    /// Namespaces of the first demand that have not been listed yet; none before the first demand. Serving waits for
    /// them: otherwise, subsets would have all endpoints at first, and a restarted agent would undo a canary for a
    /// moment.
    first: Option<BTreeSet<Arc<str>>>,
}

impl PodReader {
    /// Follows the pods of the namespaces that are needed, until nobody listens.
    pub(super) async fn run(
        source: KubernetesSource,
        sender: mpsc::UnboundedSender<Step>,
        mut needed: watch::Receiver<PodNamespaces>,
        health: Health,
    ) {
        let (news, mut receiver) = mpsc::unbounded_channel();
        let mut pods = Self {
            source,
            sender,
            health,
            news,
            watches: BTreeMap::new(),
            leaving: Deadlines::default(),
            first: None,
        };
        loop {
            let deadline = pods.leaving.next();
            tokio::select! {
                changed = needed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = needed.borrow_and_update().clone();
                    now.iter().for_each(|now| pods.need(now, Instant::now() + LINGER));
                }
                Some(told) = receiver.recv() => pods.take(told),
                () = async { tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)).await }, if deadline.is_some() => {
                    pods.let_go(Instant::now());
                }
            }
            if pods.sender.is_closed() {
                return;
            }
        }
    }

    /// Starts and stops watches as needed.
    fn need(&mut self, now: &OrdSet<Arc<str>>, until: Instant) {
        for namespace in now {
            if !self.leaving.remove(namespace) && !self.watches.contains_key(namespace) {
                let watch = self.watch(namespace);
                self.watches.insert(Arc::clone(namespace), watch);
            }
        }
        for namespace in self.watches.keys().filter(|namespace| !now.contains(*namespace)) {
            self.leaving.add(Arc::clone(namespace), until);
        }
        self.first.get_or_insert_with(|| now.iter().cloned().collect());
        self.heard_of(None);
    }

    fn watch(&self, namespace: &Arc<str>) -> NamespaceWatch {
        let task = follow_namespace(
            self.source.clone(),
            Arc::clone(namespace),
            self.news.clone(),
            self.health.clone(),
        );
        NamespaceWatch {
            task: self.source.vital.spawn("a watch of Pods", task),
            known: BTreeSet::new(),
        }
    }

    fn let_go(&mut self, now: Instant) {
        while let Some(namespace) = self.leaving.take_due(now) {
            if let Some(mut watch) = self.watches.remove(&namespace) {
                let known = std::mem::take(&mut watch.known);
                self.tell(known.into_iter().map(SourceEvent::Delete).collect());
            }
            self.heard_of(Some(&namespace));
        }
    }

    fn take(&mut self, PodNews { namespace, heard }: PodNews) {
        // It arrived after the watch had ended.
        let Some(watch) = self.watches.get_mut(&namespace) else {
            return;
        };
        let step = match heard {
            Heard::Listed(entries) => {
                let listed = entries.iter().map(|entry| entry.object_ref.clone()).collect();
                let before = std::mem::replace(&mut watch.known, listed);
                let gone = before.difference(&watch.known).cloned();
                let gone = gone.map(SourceEvent::Delete).collect::<Vec<_>>();
                gone.into_iter()
                    .chain(entries.into_iter().map(SourceEvent::Apply))
                    .collect()
            }
            Heard::Applied(entry) => {
                watch.known.insert(entry.object_ref.clone());
                vec![SourceEvent::Apply(entry)]
            }
            Heard::Deleted(entry) => {
                watch.known.remove(&entry.object_ref);
                vec![SourceEvent::Delete(entry.object_ref)]
            }
            // What is known about them stays; if nothing is, the subset has all endpoints, and a finding.
            Heard::Forbidden => Step::new(),
        };
        self.tell(step);
        self.heard_of(Some(&namespace));
    }

    fn tell(&self, step: Step) {
        if !step.is_empty() {
            let _ = self.sender.send(step);
        }
    }

    /// The first lists are complete once each namespace of the first demand has been listed.
    fn heard_of(&mut self, namespace: Option<&Arc<str>>) {
        let Some(first) = &mut self.first else {
            return;
        };
        namespace.map(|namespace| first.remove(namespace));
        if first.is_empty() {
            self.health.complete(ListedPart::Pods);
        }
    }
}

async fn follow_namespace(
    source: KubernetesSource,
    namespace: Arc<str>,
    news: mpsc::UnboundedSender<PodNews>,
    health: Health,
) {
    let watched = health.watch(format!("Pods of {namespace}"));
    let mut delays = Delays::new();
    loop {
        let api = Api::<PartialObjectMeta<Pod>>::namespaced(source.client.clone(), &namespace);
        let config = watcher::Config::default().timeout(source.watch_seconds());
        let tell = |heard| {
            let namespace = Arc::clone(&namespace);
            news.send(PodNews { namespace, heard }).is_ok()
        };
        let read = |pod| Some(entry(&namespace, &pod));
        follow(api, config, &watched, read, tell).await;
        // The API server says that it has no Pods: nothing waits for them.
        if !tell(Heard::Forbidden) {
            return;
        }
        delays.wait().await;
    }
}

/// The parts of a pod that select it.
pub(super) fn entry(namespace: &Arc<str>, pod: &PartialObjectMeta<Pod>) -> SourceObject {
    let meta = Meta {
        namespace: Arc::clone(namespace),
        name: pod.name_any().into(),
        labels: pod.labels().clone(),
        ..Meta::default()
    };
    SourceObject {
        object_ref: ObjectRef::new(Kind::Pod, Arc::clone(namespace), Arc::clone(&meta.name)),
        object: Some(Object::Pod(Arc::new(meta))),
        findings: Vec::new(),
    }
}
