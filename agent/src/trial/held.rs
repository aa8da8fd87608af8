//! An object that is held back, and what for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sealgate_model::Object;

use super::NewestVersion;
use crate::snapshot::ResourceKey;

/// An object whose newest version is not served.
#[derive(Debug)]
pub(super) struct HeldBack {
    pub(super) newest: NewestVersion,
    pub(super) former: Option<Arc<Object>>,
    /// Once it is known that it is to blame.
    pub(super) verdict: Option<Conviction>,
    /// How long the next verdict stands.
    pub(super) wait: Duration,
    /// The last verdict, also while it is looked at again.
    pub(super) blame: Option<Blame>,
}

/// For what an object is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blame {
    /// The resource that a proxy refuses with it.
    pub resource: ResourceKey,
    /// What the proxy says.
    pub reason: String,
}

/// An object is to blame.
#[derive(Debug)]
pub(crate) struct Conviction {
    /// For this resource.
    pub(crate) resource: ResourceKey,
    /// What the proxy says.
    pub(crate) reason: String,
    /// When it is tried again.
    pub(super) until: Instant,
}

impl HeldBack {
    /// The resource for which it is to blame, if it is to be tried again.
    pub(super) fn is_due(&self, now: Instant) -> Option<&ResourceKey> {
        let verdict = self.verdict.as_ref().filter(|verdict| verdict.until <= now)?;
        Some(&verdict.resource)
    }
}
