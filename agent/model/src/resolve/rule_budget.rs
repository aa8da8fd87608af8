//! Budgets for rules. Rules are counted once for each host that they apply to: a wide VirtualService has its rules on
//! each host of a Gateway, and a delegate in each of its roots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdSet;

use super::hosts::HostRules;
use super::meter::Meter;
use super::rank::Rank;
use super::service::Services;
use super::table::HostKey;
use crate::budget::{BudgetItem, BudgetPolicy, Cost, Excess, Usage};
use crate::tenancy::Tenancy;
use crate::{Code, Finding, Severity};

/// The weight of each namespace's rules.
type Weights = Vec<(Arc<str>, u64)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RuleBudget(Meter<HostKey>);

impl RuleBudget {
    pub(super) fn new(policy: BudgetPolicy) -> Self {
        Self(Meter::new(policy))
    }

    /// Keeps the rules of a host for which there is room, and reports the others.
    pub(super) fn settle(
        &mut self,
        host: &HostKey,
        rules: Option<HostRules>,
        services: &Services,
    ) -> (Option<HostRules>, Vec<Finding>) {
        let Some(mut rules) = rules else {
            self.0.spare(host);
            self.0.release(host);
            return (None, Vec::new());
        };
        let weights = self.weights(&rules, services).into_iter();
        let costs = weights.map(|(namespace, weight)| (namespace, Cost::only(BudgetItem::Rules, weight)));
        let mut findings = Vec::new();
        for (namespace, excess) in self.0.settle(host, costs) {
            findings.extend(leave_out(&mut rules, &namespace, &host.1, excess));
        }
        (rules.is_something().then_some(rules), findings)
    }

    /// The rules of a host for which there is room.
    pub(super) fn of(&self, host: &HostKey, mut rules: HostRules) -> HostRules {
        for namespace in self.0.starved(host) {
            rules.leave_out(namespace);
        }
        rules
    }

    /// The weight of each tenant's rules, the owner's first.
    fn weights(&self, rules: &HostRules, services: &Services) -> Weights {
        let mut weights = Weights::new();
        let tenants = &self.0.policy().tenants;
        if tenants.tenancy == Tenancy::Single {
            return weights;
        }
        let groups = rules.groups().into_iter().flatten();
        let own = groups.filter_map(|(rank, _)| services.get(rank));
        let all = own.flat_map(|service| services.weights(service));
        for (namespace, weight) in all.filter(|own| tenants.is_tenant(&own.0)) {
            match weights.iter_mut().find(|own| own.0 == namespace) {
                Some(own) => own.1 = own.1.saturating_add(weight),
                None => weights.push((namespace, weight)),
            }
        }
        weights
    }

    /// Hosts that must be checked again, because there may now be room, by the namespace that had to be left out.
    pub(super) fn take_hopeful(&mut self) -> BTreeMap<Arc<str>, BTreeSet<HostKey>> {
        self.0.take_hopeful()
    }

    pub(super) fn usage(&self) -> &Usage {
        self.0.usage()
    }

    /// The namespaces whose usage has changed since the last call.
    pub(super) fn take_charged(&mut self) -> OrdSet<Arc<str>> {
        self.0.take_charged()
    }
}

/// Removes a namespace's rules from a host, including those that others delegate to.
fn leave_out(rules: &mut HostRules, namespace: &Arc<str>, domain: &str, excess: Excess) -> Vec<Finding> {
    let out = rules.leave_out(namespace);
    let finding = |rank: &Rank, what: &str| Finding {
        severity: Severity::Error,
        code: Code::OverBudget,
        object: rank.virtual_service(),
        field: None,
        message: format!("{what} for {domain} are left out: {excess}"),
    };
    let of = format!("what it delegates to the namespace {namespace}: rules");
    // If it has no rules of its own, some VirtualServices delegate to it; which ones is not known here.
    let delegating = rules
        .services
        .keys()
        .filter(|_| out.is_empty())
        .map(|rank| finding(rank, &of));
    let own = out.iter().map(|rank| finding(rank, "its rules"));
    own.chain(delegating).collect()
}
