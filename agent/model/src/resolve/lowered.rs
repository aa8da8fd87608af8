//! Rules as they run, and what they were made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::rules::RuleConfig;

use crate::{Finding, ObjectRef};

/// A destination that a rule names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    /// `outbound|PORT|SUBSET|HOST`.
    pub(super) cluster: Arc<str>,
    /// The service's host, lower-case and in full.
    pub(super) host: Arc<str>,
    /// Its port.
    pub(super) port: u32,
    /// Empty for all of its endpoints.
    pub(super) subset: Arc<str>,
    /// The VirtualService that names it.
    pub(super) place: ObjectRef,
}

/// Rules as they run, and what they were made from.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    pub(super) rules: Vec<RuleConfig>,
    /// The destinations that they name.
    pub(super) uses: BTreeSet<Use>,
    /// Hosts of which a destination names no port: what is taken follows the service.
    pub(super) assumed: BTreeSet<Arc<str>>,
    pub(super) findings: Vec<Finding>,
}
