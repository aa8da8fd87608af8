//! Which VirtualServices must be checked again, because their Gateways have changed.

use std::collections::BTreeSet;

use super::Speaker;
use super::bindings::{self, KnownGateways};
use super::gateway::DeclaredGateway;
use super::rank::Rank;
use super::service::{Service, Services};
use crate::ledger::Ledger;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Doubted(BTreeSet<Rank>);

impl Doubted {
    pub(super) fn service(&mut self, service: &Service) {
        self.0.insert(service.rank.clone());
    }

    /// Marks all that name a Gateway, in any namespace.
    pub(super) fn naming(&mut self, gateway: &str, services: &Services) {
        let naming = services.of_gateway(gateway);
        self.0.extend(naming.map(|service| service.rank.clone()));
    }

    /// Marks all that name a Gateway, if it was added or removed or its ports changed; otherwise, those with a host
    /// that the Gateway starts or stops to take.
    pub(super) fn gateway(
        &mut self,
        name: &str,
        (before, now): (Option<&DeclaredGateway>, Option<&DeclaredGateway>),
        services: &Services,
    ) {
        let is_new = match (before, now) {
            (Some(before), Some(now)) => before.ports() != now.ports() || before.rank != now.rank,
            _ => true,
        };
        if is_new {
            return self.naming(name, services);
        }
        let [before, now] = [before, now].map(|own| own.map(DeclaredGateway::all_hosts).unwrap_or_default());
        for (host, _) in before.symmetric_difference(&now) {
            let within = services.within(&host.pattern).map(|(_, service)| service);
            let touched = services.of_host(&host.pattern).chain(within);
            let touched = touched.chain(services.containing(&host.pattern));
            self.0.extend(touched.map(|service| service.rank.clone()));
        }
    }

    /// Updates the findings about each.
    pub(super) fn settle(
        &mut self,
        services: &Services,
        gateways: &KnownGateways<'_>,
        ledger: &mut Ledger<Speaker>,
    ) {
        for rank in std::mem::take(&mut self.0) {
            let service = services.named(&rank.namespace, &rank.name);
            let findings = service.map(|service| bindings::findings(service, gateways));
            let speaker = Speaker::Bindings(rank.virtual_service());
            ledger.set(speaker, findings.unwrap_or_default());
        }
    }
}
