//! Of which namespaces pods are needed: those of Services with a subset in use. Like [`crate::demand`] it flows against the
//! stream, and holds names alone.

use std::sync::Arc;

use imbl::OrdSet;
use tokio::sync::watch;

/// The namespaces; none before the first objects have been heard of.
pub type PodNamespaces = Option<OrdSet<Arc<str>>>;

/// Says which they are.
#[derive(Debug)]
pub struct PodDemand(watch::Sender<PodNamespaces>);

impl Default for PodDemand {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl PodDemand {
    /// Follows them.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<PodNamespaces> {
        self.0.subscribe()
    }

    /// From now on they are these.
    pub fn set(&self, namespaces: &OrdSet<Arc<str>>) {
        self.0.send_if_modified(|told| {
            let is_same = told
                .as_ref()
                .is_some_and(|told| told.ptr_eq(namespaces) || told == namespaces);
            if !is_same {
                *told = Some(namespaces.clone());
            }
            !is_same
        });
    }
}
