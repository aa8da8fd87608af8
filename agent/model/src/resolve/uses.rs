//! The destinations in use, who uses each, and its upstream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdSet;

use super::Speaker;
use super::catalog::doubt;
use super::index::Index;
use super::lowered::{Spot, Use};
use super::meter::Meter;
use super::upstream::{Doubt, SettledUpstream, UpstreamTerms, upstream};
use super::{cluster_budget, hash_budget};
use crate::budget::{BudgetPolicy, Excess, Usage};
use crate::few::{self, Few};
use crate::ledger::Ledger;
use crate::patterns::PatternMap;
use crate::resolved::Upstream;
use crate::{Code, CredentialName, Finding, ObjectRef, Severity};

/// A cluster, and the credentials that it wants now.
type ClusterWants = (Arc<str>, Few<CredentialName>);

/// One destination.
#[derive(Debug)]
struct Used {
    of: Use,
    /// The VirtualServices that name it, each with the number of its hosts that do.
    places: Vec<(UsePlace, usize)>,
    /// None while there is no room for it.
    upstream: Option<Arc<Upstream>>,
    findings: Vec<Finding>,
    /// The namespace whose pods decide which endpoints it has.
    pods: Option<Arc<str>>,
}

/// The VirtualService that names it, and where.
type UsePlace = (ObjectRef, Spot);

/// All destinations in use, by cluster.
#[derive(Debug, Default)]
pub(super) struct Uses {
    clusters: BTreeMap<Arc<str>, Used>,
    by_host: PatternMap<Few<Arc<str>>>,
    by_pods: Index<Arc<str>, Arc<str>>,
    /// The namespaces in that index.
    pod_namespaces: OrdSet<Arc<str>>,
    /// Clusters that must be checked.
    dirty: BTreeSet<Arc<str>>,
    budget: Meter<Arc<str>>,
    /// The budgets of clusters that hash.
    hashes: Meter<Arc<str>>,
}

impl Uses {
    pub(super) fn new(policy: BudgetPolicy) -> Self {
        Self {
            budget: Meter::new(policy.clone()),
            hashes: Meter::new(policy),
            ..Self::default()
        }
    }

    /// Adds a use by one host of a VirtualService.
    pub(super) fn add(&mut self, of: &Use) {
        let used = self
            .clusters
            .entry(Arc::clone(&of.cluster))
            .or_insert_with(|| Used {
                of: of.clone(),
                places: Vec::new(),
                upstream: None,
                findings: Vec::new(),
                pods: None,
            });
        let own = (of.place.clone(), of.spot);
        match used.places.binary_search_by(|(place, _)| place.cmp(&own)) {
            Ok(at) => used
                .places
                .get_mut(at)
                .into_iter()
                .for_each(|(_, count)| *count += 1),
            Err(at) => {
                few::insert(&mut used.places, at, (own, 1));
            }
        }
        self.by_host.entry(&of.host).insert(Arc::clone(&of.cluster));
        self.dirty.insert(Arc::clone(&of.cluster));
    }

    /// Removes such a use.
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

    /// Marks the clusters of a service's host to be checked.
    pub(super) fn touch(&mut self, host: &str) {
        self.dirty
            .extend(self.by_host.get(host).into_iter().flatten().cloned());
    }

    /// Marks the clusters of all hosts within a wildcard to be checked.
    pub(super) fn touch_within(&mut self, pattern: &str) {
        let within = self.by_host.within(pattern).flat_map(|(_, clusters)| clusters);
        self.dirty.extend(within.cloned());
        self.touch(pattern);
    }

    /// Pods of a namespace have changed: marks subsets of hosts with such a pod to be checked. Compares only those in
    /// use, which avoids an index of all endpoints by pod.
    pub(super) fn touch_pods(&mut self, namespace: &str, is_touched: impl Fn(&str) -> bool) {
        let mut hosts = BTreeMap::<&str, bool>::new();
        let clusters = self.by_pods.of(namespace);
        let touched = clusters.filter(|cluster| {
            let used = self.clusters.get(*cluster);
            // A host may have thousands of subsets.
            let mut is_touched = |host| *hosts.entry(host).or_insert_with(|| is_touched(host));
            used.is_some_and(|used| is_touched(&used.of.host))
        });
        self.dirty.extend(touched.cloned());
    }

    /// The namespaces whose pods are needed.
    pub(super) fn pod_namespaces(&self) -> &OrdSet<Arc<str>> {
        &self.pod_namespaces
    }

    /// Sets the namespace whose pods decide which endpoints a cluster has.
    fn set_pods(&mut self, cluster: &Arc<str>, now: Option<Arc<str>>) {
        let before = self
            .clusters
            .get_mut(cluster)
            .and_then(|used| std::mem::replace(&mut used.pods, now.clone()));
        if before == now {
            return;
        }
        if let Some(before) = before {
            self.by_pods.remove(&before, cluster);
            if !self.by_pods.has(&before) {
                self.pod_namespaces.remove(&before);
            }
        }
        if let Some(now) = now {
            self.by_pods.insert(Arc::clone(&now), Arc::clone(cluster));
            self.pod_namespaces.insert(now);
        }
    }

    /// Marks a cluster to be checked: a credential of its TLS was added or removed.
    pub(super) fn touch_cluster(&mut self, cluster: &Arc<str>) {
        self.dirty.insert(Arc::clone(cluster));
    }

    /// Checks all marked clusters; returns those whose upstream has changed, and the credentials that each of the
    /// marked ones wants.
    pub(super) fn settle(
        &mut self,
        terms: UpstreamTerms<'_>,
        ledger: &mut Ledger<Speaker>,
    ) -> (BTreeSet<Arc<str>>, Vec<ClusterWants>) {
        let (mut moved, mut wants) = (BTreeSet::new(), Vec::new());
        let mut look = |uses: &mut Self, cluster: Arc<str>| {
            let wanted = uses.settle_cluster(&cluster, terms, &mut moved);
            wants.push((Arc::clone(&cluster), wanted));
            uses.tell(cluster, ledger);
        };
        for cluster in std::mem::take(&mut self.dirty) {
            look(self, cluster);
        }
        let (clusters, hashes) = (self.budget.take_hopeful(), self.hashes.take_hopeful());
        for cluster in clusters.into_values().chain(hashes.into_values()).flatten() {
            look(self, cluster);
        }
        (moved, wants)
    }

    fn tell(&self, cluster: Arc<str>, ledger: &mut Ledger<Speaker>) {
        let findings = self.clusters.get(&cluster).map(|used| used.findings.clone());
        ledger.set(Speaker::Cluster(cluster), findings.unwrap_or_default());
    }

    /// Checks a cluster; returns the credentials that it wants.
    fn settle_cluster(
        &mut self,
        cluster: &Arc<str>,
        terms: UpstreamTerms<'_>,
        moved: &mut BTreeSet<Arc<str>>,
    ) -> Few<CredentialName> {
        let Some(used) = self.clusters.get_mut(cluster) else {
            return Few::default();
        };
        if used.places.is_empty() {
            self.forget(cluster);
            moved.insert(Arc::clone(cluster));
            return Few::default();
        }
        let known = terms.catalog.get(&used.of.host);
        let endpoints = known.map_or(0, |known| known.size);
        let excess = cluster_budget::settle(&mut self.budget, cluster, used.users(), endpoints).err();
        let before = used.upstream.as_deref();
        let mut findings: Vec<_> = excess.iter().flat_map(|own| used.told_of_excess(own)).collect();
        if excess.is_some() && before.is_none() {
            // Its endpoints may be many. It is checked again whenever there may be room.
            used.findings = findings;
            return Few::default();
        }
        let mut settled = upstream(&used.of, before, terms);
        match before.filter(|_| excess.is_some()) {
            Some(before) => settled = with_endpoints(settled, before),
            None => findings = used.told(&settled.doubts),
        }
        let (own, author) = (&mut settled.upstream, settled.balanced_by.as_ref());
        if let Err(excess) = hash_budget::settle(&mut self.hashes, own, author, used.users()) {
            findings.extend(used.told_of_hashing(&excess));
        }
        used.findings = findings;
        if used.upstream.as_deref() != Some(&settled.upstream) {
            used.upstream = Some(Arc::new(settled.upstream));
            moved.insert(Arc::clone(cluster));
        }
        self.set_pods(cluster, settled.pods);
        settled.wants
    }

    /// Forgets a cluster that no VirtualService names any more.
    fn forget(&mut self, cluster: &Arc<str>) {
        self.set_pods(cluster, None);
        if let Some(used) = self.clusters.remove(cluster) {
            self.by_host.update(&used.of.host, |clusters| {
                clusters.remove(cluster);
            });
        }
        self.budget.spare(cluster);
        self.hashes.spare(cluster);
    }

    /// Envoy no longer has these clusters.
    pub(super) fn release<'c>(&mut self, clusters: impl IntoIterator<Item = &'c Arc<str>>) {
        for cluster in clusters {
            self.budget.release(cluster);
            self.hashes.release(cluster);
        }
    }

    /// Whether there may now be room for clusters that were left out.
    pub(super) fn is_hopeful(&self) -> bool {
        self.budget.is_hopeful() || self.hashes.is_hopeful()
    }

    /// What the clusters of namespaces use of their budgets.
    pub(super) fn usage(&self) -> impl Iterator<Item = &Usage> {
        [self.budget.usage(), self.hashes.usage()].into_iter()
    }

    /// The namespaces whose usage has changed since the last call.
    pub(super) fn take_charged(&mut self) -> OrdSet<Arc<str>> {
        self.budget.take_charged().union(self.hashes.take_charged())
    }

    /// The VirtualServices that name a destination.
    pub(super) fn places(&self, cluster: &str) -> impl Iterator<Item = &ObjectRef> {
        let used = self.clusters.get(cluster).into_iter();
        used.flat_map(|used| used.places.iter().map(|((object, _), _)| object))
    }

    #[cfg(test)]
    pub(super) fn forget_pods(&mut self) {
        self.by_pods = Index::default();
    }

    #[cfg(test)]
    pub(super) fn forget_hosts(&mut self) {
        self.by_host = PatternMap::default();
    }

    pub(super) fn upstream(&self, cluster: &str) -> Option<&Arc<Upstream>> {
        self.clusters.get(cluster)?.upstream.as_ref()
    }

    pub(super) fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.clusters.values().filter_map(|used| used.upstream.as_ref())
    }
}

/// Keeps the previous endpoints, which are already charged; only how requests are sent there is updated.
fn with_endpoints(mut settled: SettledUpstream, before: &Upstream) -> SettledUpstream {
    if !settled.is_encryption_lost {
        settled.upstream.endpoints = before.endpoints.clone();
    }
    settled
}

impl Used {
    /// The VirtualServices that name it, in order.
    fn users(&self) -> impl Iterator<Item = &ObjectRef> {
        self.places.iter().map(|((object, _), _)| object)
    }

    /// The findings for each VirtualService that names it.
    fn told(&self, doubts: &[Doubt]) -> Vec<Finding> {
        let each = |own: &Doubt| {
            let places = self.places.iter().map(|(place, _)| place);
            let places = places.filter(|(_, spot)| own.matters(*spot));
            let said = places.map(|(object, spot)| doubt(object, *spot, own.code, own.message(*spot)));
            said.collect::<Vec<_>>()
        };
        doubts.iter().flat_map(each).collect()
    }

    /// The findings when there is no room for its cluster.
    fn told_of_excess(&self, excess: &Excess) -> Vec<Finding> {
        let host = &self.of.host;
        self.told_as_error(match self.upstream {
            Some(_) => Doubt::new(
                Code::OverBudget,
                format!("{host}: its previous endpoints stay in use: {excess}"),
            ),
            None => Doubt::lost(Code::OverBudget, format!("{host}: {excess}")),
        })
    }

    /// The findings when there is no room for its hash table.
    fn told_of_hashing(&self, excess: &Excess) -> Vec<Finding> {
        let message = format!(
            "{}: consistentHash of its DestinationRule is not in effect, and requests go to any endpoint: {excess}",
            self.of.host
        );
        self.told_as_error(Doubt::new(Code::OverBudget, message))
    }

    fn told_as_error(&self, doubt: Doubt) -> Vec<Finding> {
        let mut findings = self.told(&[doubt]);
        let all = findings.iter_mut();
        all.for_each(|finding| finding.severity = Severity::Error);
        findings
    }
}
