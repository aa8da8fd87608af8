//! WorkloadEntries, and the ServiceEntries that select them by labels within their namespace. Only the number of
//! selected WorkloadEntries is kept: a thousand selectors may each select the same thousand.

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
    /// How many it selects.
    count: usize,
}

impl Selection {
    /// Like the selector of a Service, an empty one selects nothing.
    fn selects(&self, workload: &WorkloadEntry) -> bool {
        let mut labels = self.labels.iter();
        !self.labels.is_empty() && labels.all(|(key, value)| workload.labels.get(key) == Some(value))
    }
}

/// Those of a namespace.
#[derive(Debug, Default)]
struct NamespaceWorkloads {
    /// By name, each with the labels of its metadata among its own.
    workloads: BTreeMap<Arc<str>, Arc<WorkloadEntry>>,
    /// By the name of the ServiceEntry.
    selections: BTreeMap<Arc<str>, Selection>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Workloads {
    by_namespace: BTreeMap<Arc<str>, NamespaceWorkloads>,
}

impl Workloads {
    /// Sets or removes a WorkloadEntry; returns the hosts of the ServiceEntries that select it, or did.
    pub(super) fn set_workload(
        &mut self,
        name: &ObjectRef,
        now: Option<(&Meta, &Arc<WorkloadEntry>)>,
    ) -> Vec<Arc<str>> {
        let own = self.by_namespace.entry(Arc::clone(&name.namespace)).or_default();
        let now = now.map(|(meta, spec)| labelled(meta, spec));
        let before = match &now {
            Some(now) => own.workloads.insert(Arc::clone(&name.name), Arc::clone(now)),
            None => own.workloads.remove(&name.name),
        };
        let mut touched = Vec::new();
        for selection in own.selections.values_mut() {
            let selected = |workload: &Option<Arc<WorkloadEntry>>| {
                workload.as_ref().is_some_and(|own| selection.selects(own))
            };
            let (was, is) = (selected(&before), selected(&now));
            selection.count = selection.count + usize::from(is) - usize::from(was);
            if (was || is) && before != now {
                touched.extend(selection.hosts.iter().cloned());
            }
        }
        self.forget_empty(&name.namespace);
        touched
    }

    /// Sets or removes a ServiceEntry with these hosts.
    pub(super) fn set_entry(&mut self, name: &ObjectRef, hosts: &[Arc<str>], now: Option<&ServiceEntrySpec>) {
        let selector = now.and_then(|spec| spec.workload_selector.as_ref());
        let own = self.by_namespace.entry(Arc::clone(&name.namespace)).or_default();
        own.selections.remove(&name.name);
        if let Some(selector) = selector {
            let mut selection = Selection {
                labels: selector.labels.clone(),
                hosts: hosts.to_vec(),
                count: 0,
            };
            let all = own.workloads.values();
            selection.count = all.filter(|workload| selection.selects(workload)).count();
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

    /// How many a ServiceEntry selects.
    pub(super) fn count(&self, name: &ObjectRef) -> usize {
        let own = self.by_namespace.get(&name.namespace);
        let selection = own.and_then(|own| own.selections.get(&name.name));
        selection.map_or(0, |selection| selection.count)
    }

    /// What a ServiceEntry selects, in order of names.
    pub(super) fn selected_by(&self, name: &ObjectRef) -> impl Iterator<Item = &WorkloadEntry> {
        let own = self.by_namespace.get(&name.namespace);
        let selection = own.and_then(|own| Some((own, own.selections.get(&name.name)?)));
        selection.into_iter().flat_map(|(own, selection)| {
            let all = own.workloads.values().map(|workload| &**workload);
            all.filter(|workload| selection.selects(workload))
        })
    }
}

/// If both have a label, the metadata's counts, as in Istio.
fn labelled(meta: &Meta, spec: &Arc<WorkloadEntry>) -> Arc<WorkloadEntry> {
    if meta.labels.is_empty() {
        return Arc::clone(spec);
    }
    let mut own = WorkloadEntry::clone(spec);
    own.labels.extend(meta.labels.clone());
    Arc::new(own)
}
