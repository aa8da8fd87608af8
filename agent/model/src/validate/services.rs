//! DestinationRules and ServiceEntries: what Envoy would refuse, and what is not carried out.

use std::net::IpAddr;

use sealgate_core::config::{DestinationRuleSpec, ServiceEntrySpec, TrafficPolicy, WorkloadEntry};

use super::{is_host, is_name_of_host, is_port, is_subset};
use crate::report::ObjectReport;
use crate::{Code, Severity};

/// Envoy adds the weights of a cluster up in 32 bits.
const LARGEST_WEIGHT: u32 = 1_000_000;

/// Subsets of a DestinationRule.
const SUBSETS: usize = 128;
/// Hosts, ports and endpoints of a ServiceEntry.
const ENTRY_HOSTS: usize = 1_000;
const ENTRY_PORTS: usize = 64;
const ENTRY_ENDPOINTS: usize = 5_000;

fn at_most(found: usize, limit: usize, field: &str, report: &mut ObjectReport) {
    if found > limit {
        let message = format!("{found} of them: up to {limit} are taken");
        report.add(Severity::Error, Code::OverLimit, field.to_owned(), message);
    }
}

pub(super) fn destination_rule(spec: &DestinationRuleSpec, report: &mut ObjectReport) {
    policy(spec.traffic_policy.as_deref(), "spec.trafficPolicy", report);
    report.not_carried_out("spec.workloadSelector", spec.workload_selector.is_some());
    if !is_host(&spec.host.to_ascii_lowercase()) {
        refuse(
            report,
            "spec.host".to_owned(),
            format!("{:?} is not a host name", spec.host),
        );
    }
    at_most(spec.subsets.len(), SUBSETS, "spec.subsets", report);
    for (at, subset) in spec.subsets.iter().enumerate() {
        let field = format!("spec.subsets[{at}]");
        let place = format!("{field}.trafficPolicy");
        policy(subset.traffic_policy.as_deref(), &place, report);
        if !is_subset(&subset.name) {
            let message = format!("{:?}: letters, digits, `-`, `_` and `.`, 63 at most", subset.name);
            refuse(report, format!("{field}.name"), message);
        }
    }
}

/// All of a policy but its TLS, of which is said what becomes of it where destinations are known.
fn policy(policy: Option<&TrafficPolicy>, place: &str, report: &mut ObjectReport) {
    let Some(policy) = policy else { return };
    for (name, given) in [
        ("loadBalancer", &policy.load_balancer),
        ("connectionPool", &policy.connection_pool),
        ("outlierDetection", &policy.outlier_detection),
        ("tunnel", &policy.tunnel),
        ("proxyProtocol", &policy.proxy_protocol),
        ("retryBudget", &policy.retry_budget),
    ] {
        report.not_carried_out(format!("{place}.{name}"), given.is_some());
    }
    for (at, port) in policy.port_level_settings.iter().enumerate() {
        let place = format!("{place}.portLevelSettings[{at}]");
        for (name, given) in [
            ("loadBalancer", &port.load_balancer),
            ("connectionPool", &port.connection_pool),
            ("outlierDetection", &port.outlier_detection),
        ] {
            report.not_carried_out(format!("{place}.{name}"), given.is_some());
        }
    }
}

pub(super) fn service_entry(spec: &ServiceEntrySpec, report: &mut ObjectReport) {
    report.not_carried_out("spec.workloadSelector", spec.workload_selector.is_some());
    report.not_carried_out("spec.subjectAltNames", !spec.subject_alt_names.is_empty());
    for (at, host) in spec.hosts.iter().enumerate() {
        if !is_host(&host.to_ascii_lowercase()) {
            refuse(
                report,
                format!("spec.hosts[{at}]"),
                format!("{host:?} is not a host name"),
            );
        }
    }
    for (at, port) in spec.ports.iter().enumerate() {
        let numbers = [("number", Some(port.number)), ("targetPort", port.target_port)];
        for (name, number) in numbers {
            if let Some(number) = number.filter(|number| !is_port(*number)) {
                refuse(
                    report,
                    format!("spec.ports[{at}].{name}"),
                    format!("{number}: from 1 to 65535"),
                );
            }
        }
    }
    at_most(spec.hosts.len(), ENTRY_HOSTS, "spec.hosts", report);
    at_most(spec.ports.len(), ENTRY_PORTS, "spec.ports", report);
    at_most(spec.endpoints.len(), ENTRY_ENDPOINTS, "spec.endpoints", report);
    for (at, own) in spec.endpoints.iter().enumerate() {
        endpoint(own, &format!("spec.endpoints[{at}]"), report);
    }
}

fn endpoint(own: &WorkloadEntry, field: &str, report: &mut ObjectReport) {
    for (name, given) in [
        ("network", &own.network),
        ("locality", &own.locality),
        ("serviceAccount", &own.service_account),
    ] {
        report.not_carried_out(format!("{field}.{name}"), given.is_some());
    }
    let is_address = own.address.parse::<IpAddr>().is_ok();
    let name = own.address.strip_suffix('.').unwrap_or(&own.address);
    if !is_address && !is_name_of_host(name) {
        let message = format!("{:?} is neither an IP address nor a DNS name", own.address);
        refuse(report, format!("{field}.address"), message);
    }
    for (name, number) in own.ports.iter().filter(|(_, number)| !is_port(**number)) {
        refuse(
            report,
            format!("{field}.ports[{name:?}]"),
            format!("{number}: from 1 to 65535"),
        );
    }
    if let Some(weight) = own.weight.filter(|weight| !(1..=LARGEST_WEIGHT).contains(weight)) {
        refuse(
            report,
            format!("{field}.weight"),
            format!("{weight}: from 1 to {LARGEST_WEIGHT}"),
        );
    }
}

fn refuse(report: &mut ObjectReport, field: String, message: String) {
    report.add(Severity::Error, Code::BadService, field, message);
}
