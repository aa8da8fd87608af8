//! The order of precedence of objects: by age, then name, then namespace, as in Istio.

use std::sync::Arc;

use crate::{Kind, Meta, ObjectRef};

/// A Gateway or a VirtualService. The order of the fields is that of precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Seconds since 1970; none for objects from a directory.
    pub created: Option<i64>,
    /// Its name.
    pub name: Arc<str>,
    /// Its namespace.
    pub namespace: Arc<str>,
}

impl Rank {
    /// The rank of an object.
    #[must_use]
    pub fn of(meta: &Meta) -> Self {
        Self {
            created: meta.created,
            name: Arc::clone(&meta.name),
            namespace: Arc::clone(&meta.namespace),
        }
    }

    /// The Gateway of this rank.
    #[must_use]
    pub fn gateway(&self) -> ObjectRef {
        ObjectRef::new(Kind::Gateway, &*self.namespace, &*self.name)
    }

    /// The VirtualService of this rank.
    #[must_use]
    pub fn virtual_service(&self) -> ObjectRef {
        ObjectRef::new(Kind::VirtualService, &*self.namespace, &*self.name)
    }
}

/// A server of a Gateway. Those of the older Gateway come first, then in the order of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId {
    /// The Gateway.
    pub gateway: Rank,
    /// Its place in `spec.servers`.
    pub at: usize,
}
