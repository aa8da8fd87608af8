//! A step of the resolution: what it is told, and what it brings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::claims::{Claim, Tenure};
use super::ports::NameKey;
use crate::{CredentialName, ObjectRef};

/// What is known from outside of objects that are not part of the resolution.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Whether there is a good version of a credential.
    pub is_served: &'a dyn Fn(&CredentialName) -> bool,
    /// Whether Gateways of a namespace may name a credential, as far as is known.
    pub may_name: &'a dyn Fn(&str, &CredentialName) -> bool,
    /// Whether there is such an object, be it that it is refused.
    pub is_known: &'a dyn Fn(&ObjectRef) -> bool,
}

/// What a step brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Clusters that came, changed or went.
    pub clusters: BTreeSet<Arc<str>>,
    /// Parts of the table that changed.
    pub parts: BTreeSet<u16>,
    /// Ports that came, changed or went.
    pub ports: BTreeSet<u16>,
    /// Names that are given on demand, and that came, went or have another certificate.
    pub names: BTreeSet<NameKey>,
    /// Claims that stand otherwise now; none is nobody's.
    pub claims: BTreeMap<Claim, Option<Tenure>>,
}
