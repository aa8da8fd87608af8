//! The readable state of the engine.

use std::sync::Arc;
use std::time::Instant;

use imbl::{OrdMap, OrdSet};
use sealgate_model::budget::{Budgets, Usage};
use sealgate_model::ledger::{Findings, listed};
use sealgate_model::preview::{GatewayOptions, KnownSecret};
use sealgate_model::resolve::gateway::DeclaredGateway;
use sealgate_model::resolve::rank::Rank;
use sealgate_model::resolve::{Claim, Tenure};
use sealgate_model::{CredentialName, Finding, Object, ObjectRef};
use time::OffsetDateTime;

use super::Engine;
use crate::credentials::Records;

/// When a credential's served version was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// For durations.
    pub at: Instant,
    /// To be shown.
    pub time: OffsetDateTime,
}

/// A snapshot of the engine's readable state. It is cheap to make, so that readers do not delay the engine.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whether the source's first lists are complete.
    pub synced: bool,
    /// How many times something was published.
    pub publications: u64,
    /// The Gateways that are served, in order.
    pub gateways: OrdMap<Rank, Arc<DeclaredGateway>>,
    /// Every credential that has a Secret, or had one.
    pub credentials: Records,
    /// Those that Gateways name.
    pub wanted: OrdSet<CredentialName>,
    /// When the served version of each was published.
    pub rotations: OrdMap<CredentialName, Rotation>,
    /// What namespaces use of their budgets, by objects, by rules and by clusters.
    pub usage: Vec<Usage>,
    /// What they may use.
    pub budgets: Budgets,
    /// The objects, in the versions that are served.
    pub objects: OrdMap<ObjectRef, Arc<Object>>,
    /// Those of them that no budget counts, because they stand in for objects without room.
    pub unpaid: OrdSet<ObjectRef>,
    /// What is known about credentials, without secrets.
    pub secrets: OrdMap<CredentialName, KnownSecret>,
    /// The claims.
    pub claims: OrdMap<Claim, Tenure>,
    /// The settings that also affect what is served.
    pub options: Arc<GatewayOptions>,
    findings: Findings,
}

impl View {
    /// All findings, the worst first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        listed(&self.findings)
    }
}

impl Engine {
    /// Makes a view.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            synced: self.synced,
            publications: self.publisher.generation(),
            gateways: self.resolver.gateways().clone(),
            credentials: self.credentials.records().clone(),
            wanted: self.resolver.wanted().clone(),
            rotations: self.rotations.clone(),
            usage: std::iter::once(self.store.usage())
                .chain(self.resolver.usage())
                .cloned()
                .collect(),
            budgets: self.settings.gateway.budgets.clone(),
            objects: self.store.by_name().clone(),
            unpaid: self.store.unpaid().clone(),
            secrets: self.secrets.clone(),
            claims: self.standing.clone(),
            options: Arc::clone(&self.options),
            findings: self.ledger.findings().clone(),
        }
    }
}
