//! In which order objects count: by age, then name, then namespace, as in Istio.

use std::sync::Arc;

use crate::{Kind, Meta, ObjectRef};

/// A Gateway or a VirtualService. The order of the fields is the order in which several count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank {
    /// Seconds since 1970; a directory has none.
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

/// A server of a Gateway; the older Gateway's come first, and of one Gateway those that it names first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId {
    /// The Gateway.
    pub gateway: Rank,
    /// Its place in `spec.servers`.
    pub at: usize,
}
