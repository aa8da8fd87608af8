//! Which resources connected proxies refused. A response with several is sent in halves until the one is found, so what is
//! here is exact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::snapshot::{ResourceKey, TypeUrl, Version};
use crate::xds::Acknowledgement;

/// By proxy.
pub type ByNode = BTreeMap<(String, ResourceKey), RefusedVersion>;

/// What a proxy refused last of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedVersion {
    /// Which version it was.
    pub version: Option<Version>,
    /// Why.
    pub reason: String,
    /// Since when it has refused the resource, in whatever version.
    pub since: OffsetDateTime,
}

/// See the module; clones share it.
#[derive(Clone, Debug)]
pub struct Refusals(watch::Sender<ByNode>);

impl Default for Refusals {
    fn default() -> Self {
        Self(watch::Sender::new(ByNode::new()))
    }
}

impl Refusals {
    /// Whoever waits on it learns of changes.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<ByNode> {
        self.0.subscribe()
    }

    /// What each connected proxy refuses.
    #[must_use]
    pub fn by_node(&self) -> ByNode {
        self.0.borrow().clone()
    }

    /// Every resource that some proxy refuses, with a reason.
    #[must_use]
    pub fn list(&self) -> BTreeMap<ResourceKey, String> {
        let all = self.0.borrow();
        all.iter()
            .map(|((_, resource), refused)| (resource.clone(), refused.reason.clone()))
            .collect()
    }

    /// A proxy that refuses this very version, and why.
    pub(super) fn of(&self, resource: &ResourceKey, version: Option<&Version>) -> Option<(String, String)> {
        let all = self.0.borrow();
        let mut own = all.iter().filter(|((_, own), _)| own == resource);
        let refused = own.find(|(_, refused)| refused.version.as_ref() == version);
        refused.map(|((node, _), refused)| (node.clone(), refused.reason.clone()))
    }

    /// What a proxy said of a response.
    pub(super) fn take(&self, node: &str, kind: TypeUrl, said: &Acknowledgement) {
        let refused = said.refused.as_deref().map(super::shortened);
        // Which of several it is, is not known yet, unless it says so.
        let is_one = refused.is_none() || said.resources.len() == 1;
        let is_named = |name: &str| {
            let reason = refused.as_deref().unwrap_or_default();
            kind == TypeUrl::Listener && reason.contains(&format!(" {name}: cannot bind '"))
        };
        self.0.send_if_modified(|all| {
            let mut moved = false;
            for (name, version) in said.resources.iter().filter(|(name, _)| is_one || is_named(name)) {
                let key = (node.to_owned(), (kind, Arc::clone(name)));
                moved |= match &refused {
                    Some(reason) => {
                        let before = all.get(&key).map(|before| before.since);
                        let now = RefusedVersion {
                            version: version.clone(),
                            reason: reason.clone(),
                            since: before.unwrap_or_else(OffsetDateTime::now_utc),
                        };
                        all.insert(key, now.clone()).as_ref() != Some(&now)
                    }
                    None => all.remove(&key).is_some(),
                };
            }
            moved
        });
    }

    /// The proxy is gone.
    pub(super) fn forget(&self, node: &str) {
        self.forget_all(|own, _| own == node);
    }

    /// The proxy is another one, and has said nothing of this kind.
    pub(super) fn forget_kind(&self, node: &str, kind: TypeUrl) {
        self.forget_all(|own, resource| own == node && resource.0 == kind);
    }

    fn forget_all(&self, is_meant: impl Fn(&str, &ResourceKey) -> bool) {
        self.0.send_if_modified(|all| {
            let gone = all.keys().filter(|(own, resource)| is_meant(own, resource));
            let gone: BTreeSet<_> = gone.cloned().collect();
            gone.iter().for_each(|key| drop(all.remove(key)));
            !gone.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(names: &[&str], refused: Option<&str>) -> Acknowledgement {
        Acknowledgement {
            resources: names
                .iter()
                .map(|name| ((*name).into(), Some("1".into())))
                .collect(),
            refused: refused.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_refused_by_itself_is_known_until_it_is_taken_or_the_proxy_goes() {
        let refusals = Refusals::default();
        let names = || {
            let all = refusals.list().into_keys();
            all.map(|(_, name)| name.to_string()).collect::<Vec<_>>()
        };
        refusals.take("one", TypeUrl::Cluster, &said(&["a"], Some("bad")));
        refusals.take("two", TypeUrl::Cluster, &said(&["a"], Some("bad")));
        refusals.take("two", TypeUrl::Cluster, &said(&["b"], Some("worse")));
        assert_eq!(names(), ["a", "b"]);
        refusals.take("one", TypeUrl::Cluster, &said(&["a", "c"], None));
        assert_eq!(names(), ["a", "b"]);
        refusals.forget("two");
        assert!(names().is_empty());
    }
}
