//! What the rules of hosts use up, once they stand beside the hosts that they are for: a wide VirtualService has its rules on
//! each host of a Gateway, and a delegate in each of its roots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hosts::HostRules;
use super::rank::Rank;
use super::service::Services;
use super::table::HostKey;
use crate::budget::{BudgetPolicy, Cost, Usage};
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
    starved: BTreeSet<HostKey>,
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
        self.starved.remove(host);
        let (mut rules, mut findings) = (rules, Vec::new());
        let weights = rules
            .as_ref()
            .map(|rules| weights(rules, services))
            .unwrap_or_default();
        let mut now = Charges::new();
        for (namespace, weight) in weights {
            let was = before
                .iter()
                .find(|own| own.0 == namespace)
                .map_or(0, |own| own.1);
            match self.change(&namespace, was, weight) {
                Ok(()) => now.push((namespace, weight)),
                Err(reason) => {
                    self.change(&namespace, was, 0).unwrap_or_default();
                    findings.extend(
                        rules
                            .iter_mut()
                            .flat_map(|rules| leave_out(rules, &namespace, &host.1, &reason)),
                    );
                    self.starved.insert(host.clone());
                }
            }
        }
        for (namespace, was) in before
            .iter()
            .filter(|own| !now.iter().any(|other| other.0 == own.0))
        {
            if !findings
                .iter()
                .any(|finding| finding.object.namespace == *namespace)
            {
                self.change(namespace, *was, 0).unwrap_or_default();
            }
        }
        if !now.is_empty() {
            self.charges.insert(host.clone(), now);
        }
        (
            rules.filter(|rules| rules.https_redirect || !rules.services.is_empty()),
            findings,
        )
    }

    fn change(&mut self, namespace: &Arc<str>, before: u64, now: u64) -> Result<(), String> {
        if !self.policy.tenants.is_tenant(namespace) {
            return Ok(());
        }
        let costs = (Cost::rules(before), Cost::rules(now));
        let admitted = self.usage.admits(&self.policy.budgets, namespace, costs);
        admitted.map_err(|excess| excess.to_string())?;
        self.freed |= now < before;
        self.usage.change(namespace, costs.0, costs.1);
        Ok(())
    }

    /// Hosts that are to be looked at again, because there may be room now.
    pub(super) fn take_hopeful(&mut self) -> BTreeSet<HostKey> {
        if std::mem::take(&mut self.freed) {
            self.starved.clone()
        } else {
            BTreeSet::new()
        }
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }
}

/// What the rules of each namespace weigh, the owner's first.
fn weights(rules: &HostRules, services: &Services) -> Charges {
    let mut weights = Charges::new();
    for (rank, _) in rules.groups().into_iter().flatten() {
        let weight = services.get(rank).map_or(0, |service| services.weight(service));
        match weights.iter_mut().find(|own| own.0 == rank.namespace) {
            Some(own) => own.1 = own.1.saturating_add(weight),
            None => weights.push((Arc::clone(&rank.namespace), weight)),
        }
    }
    weights
}

/// Takes a namespace's rules off a host.
fn leave_out(rules: &mut HostRules, namespace: &Arc<str>, domain: &str, reason: &str) -> Vec<Finding> {
    let is_own = |rank: &Rank| rank.namespace == *namespace;
    let out: Vec<Rank> = rules
        .services
        .keys()
        .filter(|rank| is_own(rank))
        .cloned()
        .collect();
    rules.services.retain(|rank, _| !is_own(rank));
    let finding = |rank: &Rank| Finding {
        severity: Severity::Error,
        code: Code::OverBudget,
        object: rank.virtual_service(),
        field: None,
        message: format!("its rules for {domain} are left out: {reason}"),
    };
    out.iter().map(finding).collect()
}
