//! WorkloadEntries, and the ServiceEntries that select them by labels: each selects within its own namespace. What a
//! ServiceEntry selects is kept, so that a WorkloadEntry costs a look at its namespace's selectors and no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealgate_core::config::{ServiceEntrySpec, WorkloadEntry};

use crate::{Meta, ObjectRef};

/// What a ServiceEntry selects.
#[derive(Debug, Default)]
struct Selection {
    labels: BTreeMap<String, String>,
    /// The hosts of the ServiceEntry.
    hosts: Vec<Arc<str>>,
    members: Members,
}

impl Selection {
    /// Like the selector of a Service, an empty one selects nothing.
    fn selects(&self, workload: &WorkloadEntry) -> bool {
        let mut labels = self.labels.iter();
        !self.labels.is_empty() && labels.all(|(key, value)| workload.labels.get(key) == Some(value))
    }
}

/// WorkloadEntries by name, each with the labels of its metadata among its own.
type Members = BTreeMap<Arc<str>, Arc<WorkloadEntry>>;

/// Those of a namespace.
#[derive(Debug, Default)]
struct NamespaceWorkloads {
    workloads: Members,
    /// By the name of the ServiceEntry.
    selections: BTreeMap<Arc<str>, Selection>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Workloads {
    by_namespace: BTreeMap<Arc<str>, NamespaceWorkloads>,
}

impl Workloads {
    /// A WorkloadEntry is this from now on, or gone; gives the hosts of the ServiceEntries that select it, or did.
    pub(super) fn set_workload(
        &mut self,
        name: &ObjectRef,
        now: Option<(&Meta, &Arc<WorkloadEntry>)>,
    ) -> Vec<Arc<str>> {
        let own = self.by_namespace.entry(Arc::clone(&name.namespace)).or_default();
        let now = now.map(|(meta, spec)| labelled(meta, spec));
        let mut touched = Vec::new();
        for selection in own.selections.values_mut() {
            let member = now.as_ref().filter(|now| selection.selects(now));
            let before = match member {
                Some(now) => selection.members.insert(Arc::clone(&name.name), Arc::clone(now)),
                None => selection.members.remove(&name.name),
            };
            if before.as_ref() != member {
                touched.extend(selection.hosts.iter().cloned());
            }
        }
        match now {
            Some(now) => drop(own.workloads.insert(Arc::clone(&name.name), now)),
            None => drop(own.workloads.remove(&name.name)),
        }
        self.forget_empty(&name.namespace);
        touched
    }

    /// A ServiceEntry with these hosts is this from now on, or gone.
    pub(super) fn set_entry(&mut self, name: &ObjectRef, hosts: &[Arc<str>], now: Option<&ServiceEntrySpec>) {
        let selector = now.and_then(|spec| spec.workload_selector.as_ref());
        let own = self.by_namespace.entry(Arc::clone(&name.namespace)).or_default();
        own.selections.remove(&name.name);
        if let Some(selector) = selector {
            let mut selection = Selection {
                labels: selector.labels.clone(),
                hosts: hosts.to_vec(),
                members: Members::new(),
            };
            let all = own.workloads.iter();
            let members = all.filter(|(_, workload)| selection.selects(workload));
            let members = members.map(|(name, workload)| (Arc::clone(name), Arc::clone(workload)));
            selection.members = members.collect();
            own.selections.insert(Arc::clone(&name.name), selection);
        }
        self.forget_empty(&name.namespace);
    }

    fn forget_empty(&mut self, namespace: &str) {
        let is_empty = |own: &NamespaceWorkloads| own.workloads.is_empty() && own.selections.is_empty();
        if self.by_namespace.get(namespace).is_some_and(is_empty) {
            self.by_namespace.remove(namespace);
        }
    }

    /// What a ServiceEntry selects, in order of names.
    pub(super) fn selected_by(&self, name: &ObjectRef) -> impl ExactSizeIterator<Item = &WorkloadEntry> {
        static NONE: Members = Members::new();
        let own = self.by_namespace.get(&name.namespace);
        let selection = own.and_then(|own| own.selections.get(&name.name));
        let members = selection.map_or(&NONE, |selection| &selection.members);
        members.values().map(|workload| &**workload)
    }
}

/// Of a label that both have, that of the metadata counts, as in Istio.
fn labelled(meta: &Meta, spec: &Arc<WorkloadEntry>) -> Arc<WorkloadEntry> {
    if meta.labels.is_empty() {
        return Arc::clone(spec);
    }
    let mut own = WorkloadEntry::clone(spec);
    own.labels.extend(meta.labels.clone());
    Arc::new(own)
}
