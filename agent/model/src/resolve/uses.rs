//! Which destinations are in use, by whom, and what became of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdSet;

use super::Speaker;
use super::catalog::{Catalog, doubt};
use super::cluster_budget::ClusterBudget;
use super::index::Index;
use super::lowered::{Spot, Use};
use super::upstream::{Doubt, upstream};
use crate::budget::{BudgetPolicy, Usage};
use crate::ledger::Ledger;
use crate::resolved::Upstream;
use crate::{Code, Finding, ObjectRef, Severity};

/// One destination.
#[derive(Debug)]
struct Used {
    of: Use,
    /// The VirtualServices that name it, each with how many hosts of theirs do.
    places: Vec<(UsePlace, usize)>,
    /// None while there is no room for it.
    upstream: Option<Arc<Upstream>>,
    findings: Vec<Finding>,
}

/// Who names it, and what for.
type UsePlace = (ObjectRef, Spot);

/// All of them, by cluster.
#[derive(Debug, Default)]
pub(super) struct Uses {
    clusters: BTreeMap<Arc<str>, Used>,
    by_host: Index<Arc<str>, Arc<str>>,
    /// Those that are to be looked at.
    dirty: BTreeSet<Arc<str>>,
    budget: ClusterBudget,
}

impl Uses {
    pub(super) fn new(policy: BudgetPolicy) -> Self {
        Self {
            budget: ClusterBudget::new(policy),
            ..Self::default()
        }
    }

    /// One more host of a VirtualService names it.
    pub(super) fn add(&mut self, of: &Use) {
        let used = self
            .clusters
            .entry(Arc::clone(&of.cluster))
            .or_insert_with(|| Used {
                of: of.clone(),
                places: Vec::new(),
                upstream: None,
                findings: Vec::new(),
            });
        let own = (of.place.clone(), of.spot);
        match used.places.binary_search_by(|(place, _)| place.cmp(&own)) {
            Ok(at) => used
                .places
                .get_mut(at)
                .into_iter()
                .for_each(|(_, count)| *count += 1),
            Err(at) => {
                used.places.reserve_exact(1);
                used.places.insert(at, (own, 1));
            }
        }
        self.by_host.insert(Arc::clone(&of.host), Arc::clone(&of.cluster));
        self.dirty.insert(Arc::clone(&of.cluster));
    }

    /// One less does.
    pub(super) fn remove(&mut self, of: &Use) {
        self.dirty.insert(Arc::clone(&of.cluster));
        let Some(used) = self.clusters.get_mut(&of.cluster) else {
            return;
        };
        let own = |(place, _): &(UsePlace, usize)| (&place.0, place.1).cmp(&(&of.place, of.spot));
        if let Ok(at) = used.places.binary_search_by(own) {
            match used.places.get_mut(at) {
                Some((_, count)) if *count > 1 => *count -= 1,
                _ => drop(used.places.remove(at)),
            }
        }
    }

    /// The clusters of a service's host are to be looked at.
    pub(super) fn touch(&mut self, host: &str) {
        self.dirty.extend(self.by_host.of(host).cloned());
    }

    /// Looks at what was touched, and gives the clusters whose upstream is another one now.
    pub(super) fn settle(&mut self, catalog: &Catalog, ledger: &mut Ledger<Speaker>) -> BTreeSet<Arc<str>> {
        let mut moved = BTreeSet::new();
        for cluster in std::mem::take(&mut self.dirty) {
            self.settle_cluster(&cluster, catalog, &mut moved);
            self.tell(cluster, ledger);
        }
        for cluster in self.budget.take_hopeful().flatten() {
            self.settle_cluster(&cluster, catalog, &mut moved);
            self.tell(cluster, ledger);
        }
        moved
    }

    fn tell(&self, cluster: Arc<str>, ledger: &mut Ledger<Speaker>) {
        let findings = self.clusters.get(&cluster).map(|used| used.findings.clone());
        ledger.set(Speaker::Cluster(cluster), findings.unwrap_or_default());
    }

    fn settle_cluster(&mut self, cluster: &Arc<str>, catalog: &Catalog, moved: &mut BTreeSet<Arc<str>>) {
        let Some(used) = self.clusters.get_mut(cluster) else {
            return;
        };
        if used.places.is_empty() {
            let host = Arc::clone(&used.of.host);
            self.clusters.remove(cluster);
            self.by_host.remove(&host, cluster);
            self.budget.spare(cluster);
            moved.insert(Arc::clone(cluster));
            return;
        }
        let users = used.places.iter().map(|((object, _), _)| object);
        let known = catalog.get(&used.of.host);
        let admitted = self
            .budget
            .settle(cluster, users, known.map_or(0, |known| known.size));
        let now = match admitted {
            Ok(()) => {
                let (now, doubts) = upstream(&used.of, known, catalog.tenancy(), catalog.addresses());
                used.findings = used.told(&doubts);
                Some(now)
            }
            Err(excess) => {
                let doubt = match used.upstream {
                    Some(_) => Doubt::new(
                        Code::OverBudget,
                        format!(
                            "{}: its endpoints of before are served on: {excess}",
                            used.of.host
                        ),
                    ),
                    None => Doubt::lost(Code::OverBudget, format!("{}: {excess}", used.of.host)),
                };
                used.findings = used.told(&[doubt]);
                let findings = used.findings.iter_mut();
                findings.for_each(|finding| finding.severity = Severity::Error);
                // What was there before is charged, and served on.
                used.upstream.as_deref().cloned()
            }
        };
        if used.upstream.as_deref() != now.as_ref() {
            used.upstream = now.map(Arc::new);
            moved.insert(Arc::clone(cluster));
        }
    }

    /// Envoy does not have these clusters any more.
    pub(super) fn release<'c>(&mut self, clusters: impl IntoIterator<Item = &'c Arc<str>>) {
        for cluster in clusters {
            self.budget.release(cluster);
        }
    }

    /// Whether there may be room now for clusters for which there was none.
    pub(super) fn is_hopeful(&self) -> bool {
        self.budget.is_hopeful()
    }

    /// What the clusters of namespaces use of their budgets.
    pub(super) fn usage(&self) -> &Usage {
        self.budget.usage()
    }

    /// The namespaces that use more or less than before, since the last time.
    pub(super) fn take_charged(&mut self) -> OrdSet<Arc<str>> {
        self.budget.take_charged()
    }

    /// The VirtualServices that name a destination.
    pub(super) fn places(&self, cluster: &str) -> impl Iterator<Item = &ObjectRef> {
        let used = self.clusters.get(cluster).into_iter();
        used.flat_map(|used| used.places.iter().map(|((object, _), _)| object))
    }

    #[cfg(test)]
    pub(super) fn forget_hosts(&mut self) {
        self.by_host = Index::default();
    }

    pub(super) fn upstream(&self, cluster: &str) -> Option<&Arc<Upstream>> {
        self.clusters.get(cluster)?.upstream.as_ref()
    }

    pub(super) fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.clusters.values().filter_map(|used| used.upstream.as_ref())
    }
}

impl Used {
    /// What is to be said of each VirtualService that names it.
    fn told(&self, doubts: &[Doubt]) -> Vec<Finding> {
        let each = |own: &Doubt| {
            let places = self.places.iter().map(|(place, _)| place);
            let said = places.map(|(object, spot)| doubt(object, *spot, own.code, own.message(*spot)));
            said.collect::<Vec<_>>()
        };
        doubts.iter().flat_map(each).collect()
    }
}
