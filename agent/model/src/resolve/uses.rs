//! Which destinations are in use, by whom, and what became of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Speaker;
use super::catalog::{Catalog, doubt};
use super::index::Index;
use super::lowered::Use;
use super::upstream::{Doubts, upstream};
use crate::Finding;
use crate::ObjectRef;
use crate::ledger::Ledger;
use crate::resolved::Upstream;

/// One destination.
#[derive(Debug)]
struct Used {
    of: Use,
    /// The VirtualServices that name it, each with how many hosts of theirs do.
    places: Vec<(ObjectRef, usize)>,
    upstream: Option<Arc<Upstream>>,
    doubts: Doubts,
}

/// All of them, by cluster.
#[derive(Debug, Default)]
pub(super) struct Uses {
    clusters: BTreeMap<Arc<str>, Used>,
    by_host: Index<Arc<str>, Arc<str>>,
    /// Those that are to be looked at.
    dirty: BTreeSet<Arc<str>>,
}

impl Uses {
    /// One more host of a VirtualService names it.
    pub(super) fn add(&mut self, of: &Use) {
        let used = self
            .clusters
            .entry(Arc::clone(&of.cluster))
            .or_insert_with(|| Used {
                of: of.clone(),
                places: Vec::new(),
                upstream: None,
                doubts: Doubts::new(),
            });
        match used.places.binary_search_by(|(place, _)| place.cmp(&of.place)) {
            Ok(at) => used
                .places
                .get_mut(at)
                .into_iter()
                .for_each(|(_, count)| *count += 1),
            Err(at) => {
                used.places.reserve_exact(1);
                used.places.insert(at, (of.place.clone(), 1));
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
        if let Ok(at) = used.places.binary_search_by(|(place, _)| place.cmp(&of.place)) {
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
            let (is_moved, findings) = self.settle_cluster(&cluster, catalog);
            ledger.set(Speaker::Cluster(Arc::clone(&cluster)), findings);
            if is_moved {
                moved.insert(cluster);
            }
        }
        moved
    }

    /// Whether its upstream is another one now, and what is to be said of it.
    fn settle_cluster(&mut self, cluster: &Arc<str>, catalog: &Catalog) -> (bool, Vec<Finding>) {
        let Some(used) = self.clusters.get_mut(cluster) else {
            return (false, Vec::new());
        };
        if used.places.is_empty() {
            let host = Arc::clone(&used.of.host);
            self.clusters.remove(cluster);
            self.by_host.remove(&host, cluster);
            return (true, Vec::new());
        }
        let (now, doubts) = upstream(
            &used.of,
            catalog.get(&used.of.host),
            catalog.tenancy(),
            catalog.addresses(),
        );
        used.doubts = doubts;
        let moved = used.upstream.as_deref() != Some(&now);
        if moved {
            used.upstream = Some(Arc::new(now));
        }
        (moved, used.findings())
    }

    /// The VirtualServices that name a destination.
    pub(super) fn places(&self, cluster: &str) -> impl Iterator<Item = &ObjectRef> {
        let used = self.clusters.get(cluster).into_iter();
        used.flat_map(|used| used.places.iter().map(|(place, _)| place))
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
    fn findings(&self) -> Vec<Finding> {
        let each = |(code, message): &(_, String)| {
            let places = self.places.iter();
            let said: Vec<_> = places
                .map(|(place, _)| doubt(place, *code, message.clone()))
                .collect();
            said
        };
        self.doubts.iter().flat_map(each).collect()
    }
}
