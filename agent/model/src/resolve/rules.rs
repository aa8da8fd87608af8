//! The rules of one host: those of its VirtualServices in order, with delegates in place of their roots.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::config::{Destination, HttpMatch};
use sealgate_core::convert;
use sealgate_core::rules::{MatchConfig, RuleConfig, RuleOrigin};

use super::catalog::Catalog;
use super::delegate::{Declared, declared};
use super::hosts::HostRules;
use super::lowered::{Lowered, Spot};
use super::match_scope::MatchScope;
use super::rank::Rank;
use super::reach::Cut;
use super::service::Services;
use crate::parts;

/// Where names are looked up.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub(super) services: &'a Services,
    pub(super) catalog: &'a Catalog,
}

/// Builds the rules of a host, into an empty result.
pub(super) fn rules(host: &HostRules, port: u16, lookup: Lookup<'_>, mut lowered: Lowered) -> Lowered {
    for group in host.groups() {
        add(&group, &host.without, port, lookup, &mut lowered);
    }
    lowered
}

/// The list of each VirtualService ends with its catch-all rule; with several, the catch-alls come after all others.
fn add(
    services: &[(&Rank, &BTreeSet<Rank>)],
    without: &BTreeSet<Arc<str>>,
    port: u16,
    lookup: Lookup<'_>,
    lowered: &mut Lowered,
) {
    let mut last = Vec::new();
    let services = services.iter();
    for (service, gateways) in services.filter_map(|(rank, own)| Some((lookup.services.get(rank)?, own))) {
        let mut catch_all: Option<(RuleOrigin, Option<usize>)> = None;
        for declared in declared(service, lookup.services, without, &mut lowered.findings) {
            if let Some((by, block)) = &catch_all {
                lowered.leave_out(|lowered| rule(&declared, gateways, port, lookup, lowered));
                lowered.cut.extend(kept(&declared, gateways, port).map(|_| Cut {
                    rule: declared.origin,
                    by: by.clone(),
                    block: *block,
                }));
                continue;
            }
            let Some(rule) = rule(&declared, gateways, port, lookup, lowered) else {
                continue;
            };
            let split = convert::split_catch_all(rule);
            lowered.rules.extend(split.others);
            if let Some(own) = split.catch_all {
                lowered.leave_out(|_| dead(&own, split.dead));
                let block = own.matches.first().map(|block| block.index);
                catch_all = Some((own.origin.clone(), block));
                last.push(own);
            }
        }
    }
    lowered.rules.extend(last);
}

/// The rule for these Gateways and this port; none if it does not apply to them.
fn rule(
    declared: &Declared<'_>,
    gateways: &BTreeSet<Rank>,
    port: u16,
    lookup: Lookup<'_>,
    lowered: &mut Lowered,
) -> Option<RuleConfig> {
    let Declared { route, service, .. } = declared;
    let kept = kept(declared, gateways, port)?;
    // Some fields of a delegate's rule come from its root.
    let written = declared.origin.root.is_none().then_some(declared.origin.rule);
    let origin = || declared.origin.clone();
    let mut cluster = |to: &Destination| {
        let spot = Spot::of(to, route, written);
        lookup.catalog.cluster((to, spot), service, port, lowered)
    };
    // Rejected objects never get into the store; still, two valid rules may be invalid when combined.
    let converted = convert::rule(origin(), route, &kept, &mut cluster).or_else(|problems| {
        lowered.findings.extend(declared.refusals(&problems));
        let stand_in = parts::unavailable(route);
        convert::rule(origin(), &stand_in, &kept, &mut |_| String::new())
    });
    let (mut rule, _) = converted.ok()?;
    for block in &mut rule.matches {
        block.index = declared.places.get(block.index).copied().unwrap_or_default();
    }
    Some(rule)
}

/// The blocks of a rule after its catch-all block; none if there are none.
fn dead(rule: &RuleConfig, blocks: Vec<MatchConfig>) -> Option<RuleConfig> {
    (!blocks.is_empty()).then(|| RuleConfig {
        matches: blocks,
        ..rule.clone()
    })
}

/// The blocks that apply to these Gateways and this port; none if the rule does not.
fn kept(declared: &Declared<'_>, gateways: &BTreeSet<Rank>, port: u16) -> Option<Vec<usize>> {
    let blocks = declared.route.r#match.iter().enumerate();
    let applies = |block: &HttpMatch| {
        let mut gateways = gateways.iter();
        let scope = MatchScope::from(block);
        gateways.any(|gateway| scope.is_for(&declared.service.namespace, gateway, port))
    };
    let kept: Vec<usize> = blocks
        .filter(|(_, block)| applies(block))
        .map(|(at, _)| at)
        .collect();
    (!kept.is_empty() || declared.route.r#match.is_empty()).then_some(kept)
}
