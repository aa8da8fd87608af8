//! The table from `routing.virtualServices`. Fields that need Envoy to be configured by an agent are rejected.

use std::collections::BTreeMap;

use super::PluginConfig;
use super::destination;
use super::manifest::{self, GivenService};
use super::problem::{PluginCode, PluginReport};
use crate::config::{Destination, HttpMatch, HttpRoute};
use crate::convert::{self, ProblemCode, RegexMeter, limits};
use crate::host;
use crate::rules::{RuleConfig, RuleOrigin, TableConfig, VirtualHostConfig};
use crate::table::RouteTable;

/// The port of all hosts in the table: the port on which a request arrived does not matter.
pub const ROUTING_PORT: u16 = 443;

/// The table of a configuration; none if it has no rules, or the report rejects it.
#[must_use]
pub fn routes(config: &PluginConfig, report: &mut PluginReport) -> Option<RouteTable> {
    if !config.has_routes() {
        return None;
    }
    let services = manifest::all(&config.virtual_services, report);
    let table = TableConfig {
        port: ROUTING_PORT,
        virtual_hosts: lowered(&services, report),
        ..TableConfig::default()
    };
    if report.is_refused() {
        return None;
    }
    match RouteTable::from_configs([&table]) {
        Ok(table) => Some(table),
        Err(error) => {
            report.refuse(PluginCode::Misread, manifest::PLACE, error.to_string());
            None
        }
    }
}

/// The rules of one VirtualService: in order, and separately those that take everything.
#[derive(Default)]
struct ServiceRules {
    others: Vec<RuleConfig>,
    last: Vec<RuleConfig>,
}

/// The virtual hosts, each for all names that have the same VirtualServices.
fn lowered(services: &[GivenService], report: &mut PluginReport) -> Vec<VirtualHostConfig> {
    let rules: Vec<ServiceRules> = services.iter().map(|service| lower(service, report)).collect();
    let mut named: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, service) in services.iter().enumerate() {
        for host in &service.spec.hosts {
            let own = named.entry(host.to_ascii_lowercase()).or_default();
            if own.last() != Some(&at) {
                own.push(at);
            }
        }
    }
    let mut alike: BTreeMap<Vec<usize>, Vec<String>> = BTreeMap::new();
    for (host, own) in named {
        alike.entry(own).or_default().push(host);
    }
    let hosts = alike.into_iter().map(|(own, domains)| {
        let own = || own.iter().filter_map(|at| rules.get(*at));
        let others = own().flat_map(|rules| &rules.others);
        let last = own().flat_map(|rules| &rules.last);
        VirtualHostConfig {
            domains,
            https_redirect: false,
            rules: others.chain(last).cloned().collect(),
        }
    });
    hosts.collect()
}

fn lower(service: &GivenService, report: &mut PluginReport) -> ServiceRules {
    let mut lowered = ServiceRules::default();
    check(service, report);
    let mut meter = RegexMeter::default();
    for (at, route) in service.spec.http.iter().enumerate() {
        let place = format!("{}.http[{at}]", service.place);
        // Beyond the limit, no regex is compiled any more.
        if !meter.add(route) {
            let megabytes = limits::REGEXES >> 20;
            let message = format!("the regexes up to here take more than {megabytes} MB compiled");
            report.refuse(PluginCode::Rule(ProblemCode::OverLimit), place, message);
            break;
        }
        let Some(rule) = rule(service, at, route, &place, report) else {
            continue;
        };
        // Rules after one that takes everything are never reached.
        if lowered.last.is_empty() {
            let split = convert::split_catch_all(rule);
            lowered.others.extend(split.others);
            lowered.last.extend(split.catch_all);
        }
    }
    lowered
}

fn check(service: &GivenService, report: &mut PluginReport) {
    let GivenService { place, spec, .. } = service;
    if spec.hosts.is_empty() {
        let message = "there is none";
        report.refuse(PluginCode::NoHosts, format!("{place}.hosts"), message);
    }
    for (at, name) in spec.hosts.iter().enumerate() {
        if !host::is_pattern(&name.to_ascii_lowercase()) {
            let message = format!("{name:?} is not a host name");
            report.refuse(PluginCode::BadHost, format!("{place}.hosts[{at}]"), message);
        }
    }
    if spec.http.is_empty() {
        report.refuse(PluginCode::NoRules, format!("{place}.http"), "there is none");
    }
    for (field, is_there) in [("tls", !spec.tls.is_empty()), ("tcp", !spec.tcp.is_empty())] {
        if is_there {
            let message = "the filter sees HTTP alone";
            report.refuse(PluginCode::NotCarriedOut, format!("{place}.{field}"), message);
        }
    }
}

/// The rule; none if it is rejected, or not for a gateway.
fn rule(
    service: &GivenService,
    at: usize,
    route: &HttpRoute,
    place: &str,
    report: &mut PluginReport,
) -> Option<RuleConfig> {
    alone(route, place, report);
    if route.delegate.is_some() {
        return None;
    }
    destination::check(route, service, place, report);
    let is_kept = |(at, block): (usize, &HttpMatch)| is_for_gateways(block).then_some(at);
    let kept: Vec<usize> = route.r#match.iter().enumerate().filter_map(is_kept).collect();
    if kept.is_empty() && !route.r#match.is_empty() {
        return None;
    }
    let origin = RuleOrigin {
        virtual_service: service.name.clone(),
        rule: at,
        name: route.name.clone(),
        root: None,
    };
    let namespace = service.namespace.as_deref();
    let mut cluster = |to: &Destination| destination::cluster(to, namespace);
    let (rule, problems) = match convert::rule(origin, route, &kept, &mut cluster) {
        Ok((rule, problems)) => (Some(rule), problems),
        Err(problems) => (None, problems),
    };
    for problem in problems {
        report.rule(place, problem);
    }
    rule
}

/// A block for workloads of the mesh does not apply to gateways, as in Istio.
fn is_for_gateways(block: &HttpMatch) -> bool {
    block.source_labels.is_empty() && block.source_namespace.is_none()
}

/// Reports what the filter cannot do by itself.
fn alone(route: &HttpRoute, place: &str, report: &mut PluginReport) {
    let delay = route.fault.as_ref().is_some_and(|fault| fault.delay.is_some());
    for (field, is_there, message) in [
        (
            "mirror",
            route.mirror.is_some(),
            "mirrors need native routes, which an agent makes",
        ),
        (
            "mirrors",
            !route.mirrors.is_empty(),
            "mirrors need native routes, which an agent makes",
        ),
        (
            "fault.delay",
            delay,
            "a delay needs Envoy's fault filter, which an agent configures",
        ),
        (
            "delegate",
            route.delegate.is_some(),
            "a delegate is another object, which an agent reads",
        ),
    ] {
        if is_there {
            report.refuse(PluginCode::NotCarriedOut, format!("{place}.{field}"), message);
        }
    }
    for (at, block) in route.r#match.iter().enumerate() {
        for (field, is_there) in [
            ("port", block.port.is_some()),
            ("gateways", !block.gateways.is_empty()),
        ] {
            if is_there {
                let place = format!("{place}.match[{at}].{field}");
                let message = "the filter does not know Gateways and their ports: an agent does";
                report.refuse(PluginCode::NotCarriedOut, place, message);
            }
        }
    }
}
