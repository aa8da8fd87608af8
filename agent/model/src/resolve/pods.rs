//! The known pods, by namespace: their labels decide which endpoints of a Service belong to a subset.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;

use crate::store::Moved;
use crate::{Meta, Object};

/// The labels of a subset.
pub(super) type SubsetLabels = BTreeMap<String, String>;

type NamespacePods = BTreeMap<Arc<str>, Arc<Meta>>;

/// Which pods of a namespace have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PodsMoved {
    /// The first pod became known, or the last one is gone.
    All,
    /// These.
    Some(BTreeSet<Arc<str>>),
}

impl PodsMoved {
    /// Whether a pod is one of them.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.contains(name),
        }
    }
}

/// By namespace.
pub(super) type MovedPods = BTreeMap<Arc<str>, PodsMoved>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// Only namespaces with a pod that was read: in others, pods are unknown, not without labels.
    by_namespace: BTreeMap<Arc<str>, NamespacePods>,
    moved: MovedPods,
}

impl Pods {
    /// Takes a change of a pod.
    pub(super) fn apply(&mut self, moved: &Moved) {
        let (namespace, name) = (&moved.name.namespace, &moved.name.name);
        let pods = self.by_namespace.entry(Arc::clone(namespace)).or_default();
        let was_known = !pods.is_empty();
        match moved.now.as_deref() {
            Some(Object::Pod(meta)) => drop(pods.insert(Arc::clone(name), Arc::clone(meta))),
            _ => drop(pods.remove(name)),
        }
        let is_known = !pods.is_empty();
        if !is_known {
            self.by_namespace.remove(namespace);
        }
        let all = self
            .moved
            .entry(Arc::clone(namespace))
            .or_insert_with(|| PodsMoved::Some(BTreeSet::new()));
        if was_known != is_known {
            *all = PodsMoved::All;
        } else if let PodsMoved::Some(names) = all {
            names.insert(Arc::clone(name));
        }
    }

    /// Those that have changed since the last call.
    pub(super) fn take_moved(&mut self) -> MovedPods {
        std::mem::take(&mut self.moved)
    }

    /// Whether a pod of a namespace was read.
    pub(super) fn has(&self, namespace: &str) -> bool {
        self.by_namespace.contains_key(namespace)
    }

    /// The pod of an endpoint, if it was read.
    pub(super) fn of(&self, namespace: &str, target: Option<&ObjectReference>) -> Option<&Meta> {
        let pods = self.by_namespace.get(namespace)?;
        pods.get(pod_name(target)?).map(|pod| &**pod)
    }

    /// Selects the pods of a namespace with these labels; none if its pods are unknown.
    pub(super) fn selector<'p>(
        &'p self,
        namespace: &str,
        labels: &'p SubsetLabels,
    ) -> Option<PodSelector<'p>> {
        let pods = self.by_namespace.get(namespace)?;
        Some(PodSelector { pods, labels })
    }
}

/// Selects endpoints whose pods have all labels of a subset.
#[derive(Clone, Copy, Debug)]
pub(super) struct PodSelector<'p> {
    pods: &'p NamespacePods,
    labels: &'p SubsetLabels,
}

impl PodSelector<'_> {
    /// Whether an endpoint belongs to such a pod.
    pub(super) fn selects(&self, target: Option<&ObjectReference>) -> bool {
        let pod = pod_name(target).and_then(|name| self.pods.get(name));
        pod.is_some_and(|pod| {
            let mut labels = self.labels.iter();
            labels.all(|(key, value)| pod.labels.get(key) == Some(value))
        })
    }
}

/// The pod that an endpoint belongs to.
pub(super) fn pod_name(target: Option<&ObjectReference>) -> Option<&str> {
    let is_pod = |target: &&ObjectReference| target.kind.as_deref() == Some("Pod");
    target.filter(is_pod)?.name.as_deref()
}
