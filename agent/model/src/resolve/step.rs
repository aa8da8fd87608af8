//! What a step of the resolution brings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claims::{Claim, Tenure};
use super::ports::{NameKey, StreamKey};

/// What a step brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Clusters that came, changed or went.
    pub clusters: BTreeSet<Arc<str>>,
    /// Parts of the table that changed.
    pub parts: BTreeSet<u16>,
    /// Ports that came, changed or went.
    pub ports: BTreeSet<u16>,
    /// Filter chains whose connections go elsewhere.
    pub streams: BTreeSet<StreamKey>,
    /// Names that are given on demand, and that came, went or have another certificate.
    pub names: BTreeSet<NameKey>,
    /// Claims that stand otherwise now; none is nobody's.
    pub claims: BTreeMap<Claim, Option<Tenure>>,
}

impl Changes {
    /// What a later step brought is added.
    pub fn extend(&mut self, later: Self) {
        self.clusters.extend(later.clusters);
        self.parts.extend(later.parts);
        self.ports.extend(later.ports);
        self.streams.extend(later.streams);
        self.names.extend(later.names);
        self.claims.extend(later.claims);
    }
}
