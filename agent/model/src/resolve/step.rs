//! The result of one step of the resolution.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claims::{Claim, Tenure};
use super::ports::{NameKey, StreamKey};

/// What a step has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Clusters that were added, changed or removed.
    pub clusters: BTreeSet<Arc<str>>,
    /// Parts of the table that changed.
    pub parts: BTreeSet<u16>,
    /// Ports that were added, changed or removed.
    pub ports: BTreeSet<u16>,
    /// Filter chains whose connections go elsewhere.
    pub streams: BTreeSet<StreamKey>,
    /// Names served on demand that were added or removed, or whose certificate has changed.
    pub names: BTreeSet<NameKey>,
    /// Claims that have changed; none if nobody has it any more.
    pub claims: BTreeMap<Claim, Option<Tenure>>,
}

impl Changes {
    /// Adds the changes of a later step.
    pub fn extend(&mut self, later: Self) {
        self.clusters.extend(later.clusters);
        self.parts.extend(later.parts);
        self.ports.extend(later.ports);
        self.streams.extend(later.streams);
        self.names.extend(later.names);
        self.claims.extend(later.claims);
    }
}
