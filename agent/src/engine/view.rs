//! What there is to be read of the engine.

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
    /// For people.
    pub time: OffsetDateTime,
}

/// What there is to be read of the engine, at one moment; made in no time, so that whoever reads holds nobody up.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whether the source's first lists are complete.
    pub synced: bool,
    /// How many times something was published.
    pub publications: u64,
    /// The Gateways that are served, in order.
    pub gateways: OrdMap<Rank, Arc<DeclaredGateway>>,
    /// Every credential that there is a Secret of, or was.
    pub credentials: Records,
    /// Those that Gateways name.
    pub wanted: OrdSet<CredentialName>,
    /// When the served version of each was published.
    pub rotations: OrdMap<CredentialName, Rotation>,
    /// What namespaces use of their budgets, by objects, by rules and by clusters.
    pub usage: Vec<Usage>,
    /// What they may use.
    pub budgets: Budgets,
    /// The objects that are served, as they are served.
    pub objects: OrdMap<ObjectRef, Arc<Object>>,
    /// Those of them that no budget counts, for they stand for what has no room.
    pub unpaid: OrdSet<ObjectRef>,
    /// What is known of credentials, without what is secret.
    pub secrets: OrdMap<CredentialName, KnownSecret>,
    /// Who has what.
    pub claims: OrdMap<Claim, Tenure>,
    /// What decides what is served besides.
    pub options: Arc<GatewayOptions>,
    findings: Findings,
}

impl View {
    /// What is wrong or doubtful, the worst first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        listed(&self.findings)
    }
}

impl Engine {
    /// What there is to be read.
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
