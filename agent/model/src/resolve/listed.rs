//! The rules of a host, for people: those that are tried, and those that are not, because an earlier one takes every
//! request.

use std::collections::BTreeMap;

use sealgate_core::convert;
use sealgate_core::rules::{RuleConfig, RuleOrigin};

use super::hosts::HostRules;
use super::lowered::Lowered;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListedRules {
    /// In the order in which they are tried.
    pub tried: Vec<RuleConfig>,
    /// In declared order, each as it would run, with the rule that takes its requests. Includes single blocks of rules
    /// that are tried.
    pub left_out: Vec<(RuleConfig, RuleOrigin)>,
}

/// A place in declared order: of the VirtualService, the rule, the delegate's rule, and the first block.
type DeclaredPlace = (usize, usize, usize, usize);

/// How many of the rules are tried. Those after one that takes every request belong to another VirtualService, which
/// may be first on another host.
pub(super) fn tried(rules: &[RuleConfig]) -> usize {
    let end = rules.iter().position(convert::takes_everything);
    end.map_or(rules.len(), |at| at + 1)
}

impl ListedRules {
    /// Makes it from rules that were built with those that are left out.
    pub(super) fn new(host: &HostRules, lowered: Lowered) -> Self {
        let mut rules = lowered.rules;
        let behind = rules.split_off(tried(&rules));
        let mut left_out: Vec<_> = behind
            .into_iter()
            .chain(lowered.left_out.unwrap_or_default())
            .collect();
        let services = host.groups().into_iter().flatten();
        let services = services.map(|(rank, _)| format!("{}/{}", rank.namespace, rank.name));
        let services: BTreeMap<String, usize> = services.zip(0..).collect();
        left_out.sort_by_key(|rule| place(rule, &services));
        // The last one that is tried takes every request, or nothing would be left out.
        let end = rules.last().map(|rule| rule.origin.clone()).unwrap_or_default();
        Self {
            tried: rules,
            left_out: left_out.into_iter().map(|rule| (rule, end.clone())).collect(),
        }
    }
}

fn place(rule: &RuleConfig, services: &BTreeMap<String, usize>) -> DeclaredPlace {
    let own = &rule.origin;
    let (service, at) = match &own.root {
        Some(root) => (&root.virtual_service, root.rule),
        None => (&own.virtual_service, own.rule),
    };
    let block = rule.matches.first().map_or(0, |block| block.index);
    let service = services.get(service).copied().unwrap_or_default();
    (service, at, own.rule, block)
}
