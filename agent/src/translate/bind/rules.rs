//! The rules of one host: those of its VirtualServices in order, delegates in their roots' place.

use std::borrow::Cow;

use sealgate_core::config::{Destination, HttpMatch, HttpRoute};
use sealgate_core::convert;
use sealgate_core::table::{MatchConfig, Origin, RuleConfig, StringMatcher};
use sealgate_model::Meta;

use super::hosts::{HostRules, names_gateway};
use super::{Binder, ServiceRef, service_ref};

/// A rule on its way: as it runs, where it was written, and where each of its blocks was.
pub(super) struct Declared<'a> {
    pub(super) route: Cow<'a, HttpRoute>,
    pub(super) service: &'a Meta,
    pub(super) origin: Origin,
    pub(super) places: Vec<usize>,
}

impl<'a> Binder<'a> {
    /// Each VirtualService's list ends with what takes everything; of several, that comes after all others.
    pub(super) fn rules(&mut self, number: u16, hosts: &HostRules<'a>) -> Vec<RuleConfig> {
        let (mut rules, mut last) = (Vec::new(), Vec::new());
        for (service, gateways) in &hosts.services {
            for declared in self.declared(*service) {
                let Some(rule) = self.rule(&declared, gateways, number) else {
                    continue;
                };
                let (others, catch_all) = split(rule);
                rules.extend(others);
                if let Some(catch_all) = catch_all {
                    last.push(catch_all);
                    break;
                }
            }
        }
        rules.extend(last);
        rules
    }

    /// The rules of a VirtualService and, in place of those that delegate, their delegates'.
    fn declared(&mut self, service: ServiceRef<'a>) -> Vec<Declared<'a>> {
        let (meta, spec) = service;
        let mut declared = Vec::with_capacity(spec.http.len());
        for (at, route) in spec.http.iter().enumerate() {
            if let Some(delegate) = &route.delegate {
                declared.extend(self.delegated(service, at, delegate));
            } else {
                declared.push(Declared {
                    route: Cow::Borrowed(route),
                    service: meta,
                    origin: origin(meta, at, route),
                    places: (0..route.r#match.len()).collect(),
                });
            }
        }
        declared
    }

    /// The rule for these Gateways and this port; none if it is not meant for them.
    fn rule(&mut self, declared: &Declared<'a>, gateways: &[&Meta], number: u16) -> Option<RuleConfig> {
        let Declared { route, service, .. } = declared;
        let applies = |block: &HttpMatch| {
            let mut gateways = gateways.iter();
            gateways.any(|gateway| applies(block, service, gateway, number))
        };
        let blocks = route.r#match.iter().enumerate();
        let kept: Vec<usize> = blocks
            .filter(|(_, block)| applies(block))
            .map(|(at, _)| at)
            .collect();
        if kept.is_empty() && !route.r#match.is_empty() {
            return None;
        }
        let place = service_ref(service);
        let destinations = &mut self.destinations;
        let mut cluster = |to: &Destination| destinations.cluster(to, &place, &service.namespace, number);
        // What was refused never became part of the state; two good rules may still not be one together.
        match convert::rule(declared.origin.clone(), route, &kept, &mut cluster) {
            Ok((mut rule, _)) => {
                for block in &mut rule.matches {
                    block.index = declared.places.get(block.index).copied().unwrap_or_default();
                }
                Some(rule)
            }
            Err(problems) => {
                self.say_refused(declared, &problems);
                None
            }
        }
    }
}

pub(super) fn origin(meta: &Meta, at: usize, route: &HttpRoute) -> Origin {
    Origin {
        virtual_service: format!("{}/{}", meta.namespace, meta.name),
        rule: at,
        name: route.name.clone(),
        root: None,
    }
}

/// A rule without its first block that takes everything, and that block as a rule of its own; what comes after it is
/// dead.
fn split(mut rule: RuleConfig) -> (Option<RuleConfig>, Option<RuleConfig>) {
    if rule.matches.is_empty() {
        return (None, Some(rule));
    }
    let Some(at) = rule.matches.iter().position(is_catch_all) else {
        return (Some(rule), None);
    };
    rule.matches.truncate(at + 1);
    let catch_all = RuleConfig {
        matches: rule.matches.split_off(at),
        ..rule.clone()
    };
    (
        Some(rule).filter(|rule| !rule.matches.is_empty()),
        Some(catch_all),
    )
}

fn is_catch_all(block: &MatchConfig) -> bool {
    let everything = match &block.uri {
        None => true,
        Some(StringMatcher::Prefix(prefix)) => prefix == "/",
        Some(StringMatcher::Regex(pattern)) => pattern == ".*",
        Some(_) => false,
    };
    everything
        && block.headers.is_empty()
        && block.without_headers.is_empty()
        && block.query_params.is_empty()
}

fn applies(block: &HttpMatch, service: &Meta, gateway: &Meta, number: u16) -> bool {
    if block.port.is_some_and(|port| port != u32::from(number)) {
        return false;
    }
    if block.gateways.is_empty() {
        let foreign = block
            .source_namespace
            .as_ref()
            .is_some_and(|namespace| *namespace != gateway.namespace);
        return block.source_labels.is_empty() && !foreign;
    }
    let mut names = block.gateways.iter();
    names.any(|name| names_gateway(name, &service.namespace, gateway))
}
