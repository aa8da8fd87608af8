//! What the rules of hosts use up, once they stand beside the hosts that they are for: a wide VirtualService has its rules on
//! each host of a Gateway, and a delegate in each of its roots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hosts::HostRules;
use super::rank::Rank;
use super::service::Services;
use super::table::HostKey;
use crate::budget::{BudgetItem, BudgetPolicy, Cost, Excess, Usage};
use crate::tenancy::Tenancy;
use crate::{Code, Finding, Severity};

/// What each namespace uses of a host.
type Charges = Vec<(Arc<str>, u64)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RuleBudget {
    policy: BudgetPolicy,
    usage: Usage,
    charges: BTreeMap<HostKey, Charges>,
    /// Hosts that a namespace had to be left out of.
    starved: BTreeMap<Arc<str>, BTreeSet<HostKey>>,
    /// Whether somebody uses less than before, since the last time.
    freed: bool,
}

impl RuleBudget {
    pub(super) fn new(policy: BudgetPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// Takes the rules of a host for which there is room, and says of the others that there is none.
    pub(super) fn settle(
        &mut self,
        host: &HostKey,
        rules: Option<HostRules>,
        services: &Services,
    ) -> (Option<HostRules>, Vec<Finding>) {
        let before = self.charges.remove(host).unwrap_or_default();
        for (namespace, weight) in &before {
            self.usage.change(namespace, rule_cost(*weight), Cost::default());
        }
        for hosts in self.starved.values_mut() {
            hosts.remove(host);
        }
        self.starved.retain(|_, hosts| !hosts.is_empty());
        let Some(mut rules) = rules else {
            self.freed |= !before.is_empty();
            return (None, Vec::new());
        };
        let (mut now, mut findings) = (Charges::new(), Vec::new());
        for (namespace, weight) in self.weights(&rules, services) {
            let costs = (Cost::default(), rule_cost(weight));
            match self.usage.admits(&self.policy.budgets, &namespace, costs) {
                Ok(_) => {
                    self.usage.change(&namespace, costs.0, costs.1);
                    now.push((namespace, weight));
                }
                Err(excess) => {
                    findings.extend(leave_out(&mut rules, &namespace, &host.1, excess));
                    self.starved.entry(namespace).or_default().insert(host.clone());
                }
            }
        }
        let keeps = |own: &(Arc<str>, u64)| now.iter().any(|other| other.0 == own.0 && other.1 >= own.1);
        self.freed |= !before.iter().all(keeps);
        if !now.is_empty() {
            self.charges.insert(host.clone(), now);
        }
        let is_something = rules.https_redirect || !rules.services.is_empty();
        (is_something.then_some(rules), findings)
    }

    /// The rules of a host as far as there is room for them.
    pub(super) fn of(&self, host: &HostKey, mut rules: HostRules) -> HostRules {
        let starved = self.starved.iter().filter(|(_, hosts)| hosts.contains(host));
        for (namespace, _) in starved {
            rules.leave_out(namespace);
        }
        rules
    }

    /// What the rules of each tenant weigh, the owner's first.
    fn weights(&self, rules: &HostRules, services: &Services) -> Charges {
        let mut weights = Charges::new();
        if self.policy.tenants.tenancy == Tenancy::Single {
            return weights;
        }
        let groups = rules.groups().into_iter().flatten();
        let own = groups.filter_map(|(rank, _)| services.get(rank));
        let all = own.flat_map(|service| services.weights(service));
        for (namespace, weight) in all.filter(|own| self.policy.tenants.is_tenant(&own.0)) {
            match weights.iter_mut().find(|own| own.0 == namespace) {
                Some(own) => own.1 = own.1.saturating_add(weight),
                None => weights.push((namespace, weight)),
            }
        }
        weights
    }

    /// Hosts that are to be looked at again, because there may be room now, by the namespace that had to be left out.
    pub(super) fn take_hopeful(&mut self) -> BTreeMap<Arc<str>, BTreeSet<HostKey>> {
        if std::mem::take(&mut self.freed) {
            self.starved.clone()
        } else {
            BTreeMap::new()
        }
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }
}

fn rule_cost(weight: u64) -> Cost {
    Cost::only(BudgetItem::Rules, weight)
}

/// Takes a namespace's rules off a host, also those that others delegate to.
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
    // Of those who delegate to it nothing is known here but that some do, if it has no rules of its own.
    let delegating = rules
        .services
        .keys()
        .filter(|_| out.is_empty())
        .map(|rank| finding(rank, &of));
    let own = out.iter().map(|rank| finding(rank, "its rules"));
    own.chain(delegating).collect()
}
