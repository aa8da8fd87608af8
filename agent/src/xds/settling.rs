//! Clusters whose endpoints have not been sent to a proxy yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::snapshot::{Snapshot, TypeUrl, Version};

/// See the module. The cost of a change does not depend on the number of clusters: one whose endpoints were sent is not
/// checked again until they change.
#[derive(Debug)]
pub(crate) struct Settling {
    /// The snapshot up to which changes are known.
    seen: Snapshot,
    /// Clusters whose endpoints may not have been sent.
    open: BTreeSet<Arc<str>>,
}

impl Settling {
    /// For a proxy to which nothing has been sent yet.
    pub(crate) fn new(snapshot: &Arc<Snapshot>) -> Self {
        Self {
            open: snapshot.names(TypeUrl::Endpoint).cloned().collect(),
            seen: snapshot.only(TypeUrl::Endpoint),
        }
    }

    /// Whether endpoints of this snapshot must still be sent; `has` says whether a version was sent to the proxy.
    pub(crate) fn is_open(&mut self, snapshot: &Arc<Snapshot>, has: impl Fn(&str, &Version) -> bool) -> bool {
        self.open
            .extend(snapshot.changed_since(&self.seen, TypeUrl::Endpoint));
        self.seen = snapshot.only(TypeUrl::Endpoint);
        while let Some(name) = self.open.first() {
            let resource = snapshot.get(TypeUrl::Endpoint, name);
            if resource.is_some_and(|resource| !has(name, resource.version())) {
                return true;
            }
            self.open.pop_first();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::snapshot::Publisher;

    #[test]
    fn a_change_costs_what_changed() {
        let (mut publisher, snapshots) = Publisher::new(Duration::ZERO);
        let mut publish = |name: &str, body: Option<&str>| {
            publisher.update(Instant::now(), |draft| match body {
                Some(body) => draft.set(TypeUrl::Endpoint, name, body.into()),
                None => draft.remove(TypeUrl::Endpoint, name),
            });
            snapshots.borrow().clone()
        };
        let sent = RefCell::new(BTreeMap::new());
        let looks = RefCell::new(0);
        let has = |name: &str, version: &Version| {
            *looks.borrow_mut() += 1;
            sent.borrow().get(name) == Some(version)
        };
        let send = |snapshot: &Snapshot, name: &str| {
            let version = snapshot
                .get(TypeUrl::Endpoint, name)
                .map(|own| Arc::clone(own.version()));
            sent.borrow_mut().insert(name.to_owned(), version.unwrap());
        };
        let mut now = publish("c0", Some("1"));
        for at in 1..100 {
            now = publish(&format!("c{at}"), Some("1"));
        }
        let mut settling = Settling::new(&now);
        assert!(settling.is_open(&now, has));
        now.names(TypeUrl::Endpoint).for_each(|name| send(&now, name));
        assert!(!settling.is_open(&now, has));
        looks.replace(0);
        // New, not requested, and then sent.
        now = publish("new", Some("1"));
        assert!(settling.is_open(&now, has) && settling.is_open(&now, has));
        send(&now, "new");
        assert!(!settling.is_open(&now, has) && !settling.is_open(&now, has));
        // Changed before it was sent, and removed before that.
        now = publish("c7", Some("2"));
        assert!(settling.is_open(&now, has));
        now = publish("c7", None);
        assert!(!settling.is_open(&now, has));
        assert!(*looks.borrow() < 10, "{} looks", looks.borrow());
    }
}
