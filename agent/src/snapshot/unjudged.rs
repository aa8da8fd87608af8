//! What a proxy may have of an agent before this one, though nothing here says that it is still to be served, nor that it is
//! not: its object cannot be read.

use std::fmt;
use std::sync::Arc;

use super::TypeUrl;

/// Says whose a resource may be.
pub trait MayBeOf: fmt::Debug + Send + Sync {
    /// Whether a resource may be of an object that could not be read. If it is served, then whether what is served only stands
    /// in for it.
    fn may_be_of(&self, kind: TypeUrl, name: &str, is_served: bool) -> bool;

    /// Whether any resource of a kind may be.
    fn may_be_of_any(&self, kind: TypeUrl) -> bool;
}

/// See the module; a clone costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Unjudged(Option<Arc<dyn MayBeOf>>);

impl Unjudged {
    /// What these objects say; none if all of them could be read.
    #[must_use]
    pub fn new(objects: Option<Arc<dyn MayBeOf>>) -> Self {
        Self(objects)
    }

    /// See [`MayBeOf::may_be_of`].
    #[must_use]
    pub fn has(&self, kind: TypeUrl, name: &str, is_served: bool) -> bool {
        let objects = self.0.as_deref();
        objects.is_some_and(|objects| objects.may_be_of(kind, name, is_served))
    }

    /// See [`MayBeOf::may_be_of_any`].
    #[must_use]
    pub fn has_any(&self, kind: TypeUrl) -> bool {
        let objects = self.0.as_deref();
        objects.is_some_and(|objects| objects.may_be_of_any(kind))
    }

    /// Whether these are the same objects.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (None, None) => true,
            _ => false,
        }
    }
}
