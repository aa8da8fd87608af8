//! Which resources connected proxies rejected. A rejected response with several is sent again in halves until the one
//! is found, so this is exact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::snapshot::{ResourceKey, TypeUrl, Version};
use crate::xds::Acknowledgement;

/// By proxy.
pub type ByNode = BTreeMap<(String, ResourceKey), RefusedVersion>;

/// A proxy's last rejection of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedVersion {
    /// The rejected version.
    pub version: Option<Version>,
    /// Why.
    pub reason: String,
    /// Since when it has rejected the resource, in any version.
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
    /// A receiver that gets all changes.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<ByNode> {
        self.0.subscribe()
    }

    /// What each connected proxy rejects.
    #[must_use]
    pub fn by_node(&self) -> ByNode {
        self.0.borrow().clone()
    }

    /// Every resource that a proxy rejects, with a reason.
    #[must_use]
    pub fn list(&self) -> BTreeMap<ResourceKey, String> {
        let all = self.0.borrow();
        all.iter()
            .map(|((_, resource), refused)| (resource.clone(), refused.reason.clone()))
            .collect()
    }

    /// A proxy that rejects exactly this version, and why.
    pub(super) fn of(&self, resource: &ResourceKey, version: Option<&Version>) -> Option<(String, String)> {
        let all = self.0.borrow();
        let mut own = all.iter().filter(|((_, own), _)| own == resource);
        let refused = own.find(|(_, refused)| refused.version.as_ref() == version);
        refused.map(|((node, _), refused)| (node.clone(), refused.reason.clone()))
    }

    /// Takes a proxy's answer to a response.
    pub(super) fn take(&self, node: &str, kind: TypeUrl, said: &Acknowledgement) {
        let refused = said.refused.as_deref().map(super::shortened);
        // With several, it is not known yet which one is rejected, unless the proxy says so.
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

    /// Forgets a proxy that is gone.
    pub(super) fn forget(&self, node: &str) {
        self.forget_all(|own, _| own == node);
    }

    /// Forgets a kind for a proxy that is a new one.
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
