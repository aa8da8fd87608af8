//! A few manifests, and what they resolve to as they change.

use super::*;
use crate::Code;
use crate::manifest::{self, Namespaces};
use crate::resolved::EndpointGroup;

pub(super) struct Site {
    pub(super) resolver: Resolver,
    pub(super) ledger: Ledger<Speaker>,
    objects: BTreeMap<ObjectRef, Arc<Object>>,
}

impl Site {
    /// With the usual gateway.
    pub(super) fn new(text: &str) -> Self {
        let mut site = Self::of(Objects::default().gateway());
        site.apply(text);
        site
    }

    /// With no objects yet.
    pub(super) fn of(gateway: Gateway) -> Self {
        Self {
            resolver: Resolver::new(gateway),
            ledger: Ledger::default(),
            objects: BTreeMap::new(),
        }
    }

    /// Applies objects; returns the clusters that changed.
    pub(super) fn apply(&mut self, text: &str) -> Vec<String> {
        self.take(text);
        self.settle()
    }

    /// Only hands objects over.
    pub(super) fn take(&mut self, text: &str) {
        let namespaces = Namespaces {
            gateway: "gw".to_owned(),
            other: "default",
        };
        for entry in manifest::read("site.yaml", text.as_bytes(), &namespaces) {
            assert!(entry.object.is_some(), "{:?}", entry.findings);
            let now = entry.object.map(Arc::new);
            self.replace(entry.object_ref, now);
        }
    }

    pub(super) fn delete(&mut self, kind: Kind, name: &str) -> Vec<String> {
        self.delete_in("default", kind, name)
    }

    pub(super) fn delete_in(&mut self, namespace: &str, kind: Kind, name: &str) -> Vec<String> {
        self.replace(ObjectRef::new(kind, namespace, name), None);
        self.settle()
    }

    fn replace(&mut self, name: ObjectRef, now: Option<Arc<Object>>) {
        let before = match &now {
            Some(now) => self.objects.insert(name.clone(), Arc::clone(now)),
            None => self.objects.remove(&name),
        };
        self.resolver.take(&Moved { name, before, now });
    }

    fn settle(&mut self) -> Vec<String> {
        let world = World {
            is_served: &|_| true,
            may_name: &|_, _| true,
            is_known: &|_| true,
            certificate: &|_| None,
            namesake: &|_| None,
        };
        let changes = self.resolver.settle(world, &mut self.ledger);
        changes.clusters.iter().map(ToString::to_string).collect()
    }

    pub(super) fn pod(&mut self, name: &str, labels: &str) -> Vec<String> {
        self.apply(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, labels: {{{labels}}}}}, spec: {{containers: []}}}}"
        ))
    }

    /// The groups of an upstream's endpoints.
    pub(super) fn groups(&self, cluster: &str) -> &[EndpointGroup] {
        &self.resolver.upstream(cluster).unwrap().endpoints.groups
    }

    /// The addresses of an upstream's endpoints.
    pub(super) fn addresses(&self, cluster: &str) -> Vec<&str> {
        let endpoints = self.groups(cluster).iter().flat_map(|group| &group.endpoints);
        endpoints.map(|endpoint| endpoint.address.as_str()).collect()
    }

    /// The codes of the findings.
    pub(super) fn codes(&self) -> Vec<Code> {
        let said = crate::ledger::listed(self.ledger.findings());
        said.iter().map(|finding| finding.code).collect()
    }

    pub(super) fn needed(&self) -> Vec<&str> {
        self.resolver
            .pod_namespaces()
            .iter()
            .map(|namespace| &**namespace)
            .collect()
    }
}
