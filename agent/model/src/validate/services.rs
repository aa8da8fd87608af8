//! DestinationRules and ServiceEntries: what Envoy would refuse, and what is not carried out.

use std::net::IpAddr;

use sealgate_core::config::{DestinationRuleSpec, ServiceEntrySpec, TrafficPolicy, WorkloadEntry};

use super::{is_host, is_name_of_host, is_port, is_subset};
use crate::parts::{PORT_SETTINGS, SUBSET_LABELS};
use crate::report::ObjectReport;
use crate::traffic_policy::{self, MergedPolicy, PolicyProblems};
use crate::{Code, Severity};

/// Envoy adds the weights of a cluster up in 32 bits.
const LARGEST_WEIGHT: u32 = 1_000_000;

/// Subsets of a DestinationRule.
const SUBSETS: usize = 128;
/// Names in the certificates of an upstream: each is in every cluster of it, in four forms.
pub(crate) const SUBJECT_ALT_NAMES: usize = 100;
/// Hosts, ports and endpoints of a ServiceEntry.
const ENTRY_HOSTS: usize = 1_000;
const ENTRY_PORTS: usize = 64;
const ENTRY_ENDPOINTS: usize = 5_000;

pub(super) fn destination_rule(spec: &DestinationRuleSpec, report: &mut ObjectReport) {
    let whole = spec.traffic_policy.as_deref();
    policy(whole, "spec.trafficPolicy", report);
    unnoticed(None, whole, "spec.trafficPolicy", report);
    if !is_host(&spec.host.to_ascii_lowercase()) {
        refuse(
            report,
            "spec.host".to_owned(),
            format!("{:?} is not a host name", spec.host),
        );
    }
    report.at_most(spec.subsets.len(), SUBSETS, "spec.subsets");
    for (at, subset) in spec.subsets.iter().enumerate() {
        let field = format!("spec.subsets[{at}]");
        let place = format!("{field}.trafficPolicy");
        report.at_most(subset.labels.len(), SUBSET_LABELS, format!("{field}.labels"));
        policy(subset.traffic_policy.as_deref(), &place, report);
        unnoticed(whole, subset.traffic_policy.as_deref(), &place, report);
        if !is_subset(&subset.name) {
            let message = format!("{:?}: letters, digits, `-`, `_` and `.`, 63 at most", subset.name);
            refuse(report, format!("{field}.name"), message);
        }
    }
}

/// All of a policy but its TLS, of which is said what becomes of it where destinations are known.
fn policy(policy: Option<&TrafficPolicy>, place: &str, report: &mut ObjectReport) {
    let Some(policy) = policy else { return };
    if policy.tunnel.is_some() {
        let message = "tunnels are for TLS and TCP routes, and Sealgate does not support them";
        report.add(
            Severity::Warning,
            Code::NotCarriedOut,
            format!("{place}.tunnel"),
            message,
        );
    }
    own_policy(&MergedPolicy::alone(policy), place, report);
    let ports = policy.port_level_settings.len();
    report.at_most(ports, PORT_SETTINGS, format!("{place}.portLevelSettings"));
    for (at, port) in policy.port_level_settings.iter().enumerate() {
        let place = format!("{place}.portLevelSettings[{at}]");
        let number = port.port.as_ref().map(|port| port.number);
        if !number.is_some_and(is_port) {
            let message = match number {
                Some(number) => format!("{number} is not from 1 to 65535"),
                None => "a number from 1 to 65535 is required".to_owned(),
            };
            refuse(report, format!("{place}.port.number"), message);
        }
        own_policy(&MergedPolicy::default().of_port(port), &place, report);
    }
}

/// Says so of a policy that wants other endpoints to be used when the near ones fail, and nothing notices that they do.
fn unnoticed(
    service: Option<&TrafficPolicy>,
    own: Option<&TrafficPolicy>,
    place: &str,
    report: &mut ObjectReport,
) {
    let Some(own) = own else { return };
    let mut say = |place: &str, policy: &MergedPolicy<'_>, is_noticed: bool| {
        if traffic_policy::needs_ejection(policy) && !is_noticed {
            let field = format!("{place}.loadBalancer.localityLbSetting");
            let message =
                "without `outlierDetection`, failing endpoints are not detected: all localities are equal";
            report.add(Severity::Warning, Code::NotCarriedOut, field, message);
        }
    };
    let ejection = own
        .outlier_detection
        .as_ref()
        .or_else(|| service?.outlier_detection.as_ref());
    say(place, &MergedPolicy::alone(own), ejection.is_some());
    for (at, port) in own.port_level_settings.iter().enumerate() {
        let policy = MergedPolicy::default().of_port(port);
        let place = format!("{place}.portLevelSettings[{at}]");
        say(&place, &policy, policy.outlier_detection.is_some());
    }
}

fn own_policy(policy: &MergedPolicy<'_>, place: &str, report: &mut ObjectReport) {
    let mut problems = PolicyProblems::default();
    traffic_policy::lower(policy, &mut problems);
    for problem in problems.into_found() {
        let (severity, code) = match problem.is_refused {
            true => (Severity::Error, Code::BadPolicy),
            false => (Severity::Warning, Code::NotCarriedOut),
        };
        report.add(
            severity,
            code,
            format!("{place}.{}", problem.field),
            problem.message,
        );
    }
}

pub(super) fn service_entry(spec: &ServiceEntrySpec, report: &mut ObjectReport) {
    selector(spec, report);
    resolution(spec, report);
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
                    format!("{number} is not from 1 to 65535"),
                );
            }
        }
    }
    report.at_most(spec.hosts.len(), ENTRY_HOSTS, "spec.hosts");
    let names = spec.subject_alt_names.len();
    report.at_most(names, SUBJECT_ALT_NAMES, "spec.subjectAltNames");
    report.at_most(spec.ports.len(), ENTRY_PORTS, "spec.ports");
    report.at_most(spec.endpoints.len(), ENTRY_ENDPOINTS, "spec.endpoints");
    for (at, own) in spec.endpoints.iter().enumerate() {
        endpoint(own, &format!("spec.endpoints[{at}]"), report);
    }
}

/// Endpoints that are listed come first: they are what the author sees.
fn selector(spec: &ServiceEntrySpec, report: &mut ObjectReport) {
    let Some(selector) = &spec.workload_selector else {
        return;
    };
    let message = if !spec.endpoints.is_empty() {
        "`endpoints` is set, so the selector has no effect"
    } else if selector.labels.is_empty() {
        "it has no labels, so it selects nothing"
    } else {
        return;
    };
    let field = "spec.workloadSelector".to_owned();
    report.add(Severity::Warning, Code::NotCarriedOut, field, message);
}

/// What a gateway does otherwise than its author may think.
fn resolution(spec: &ServiceEntrySpec, report: &mut ObjectReport) {
    let message = match spec.resolution.as_deref() {
        None | Some("" | "STATIC" | "DNS") => return,
        Some("DNS_ROUND_ROBIN") if spec.endpoints.len() < 2 => return,
        Some("DNS_ROUND_ROBIN") => "it takes one endpoint at most: with several, `DNS` is used",
        Some("NONE") => {
            "treated as `DNS`: clients connect to the gateway, so there is no original destination; the endpoints are used, \
             or the host is resolved"
        }
        Some("DYNAMIC_DNS") => {
            "treated as `DNS`: otherwise a client could choose any address, even one of the gateway's own machine; a \
             wildcard cannot be resolved"
        }
        Some(_) => "STATIC, DNS or DNS_ROUND_ROBIN: `DNS` is used",
    };
    let field = "spec.resolution".to_owned();
    report.add(Severity::Warning, Code::NotCarriedOut, field, message);
}

pub(super) fn workload_entry(spec: &WorkloadEntry, report: &mut ObjectReport) {
    endpoint(spec, "spec", report);
}

fn endpoint(own: &WorkloadEntry, field: &str, report: &mut ObjectReport) {
    for (name, given) in [
        ("network", &own.network),
        ("serviceAccount", &own.service_account),
    ] {
        report.not_carried_out(format!("{field}.{name}"), given.is_some());
    }
    let (is_address, is_socket) = (own.address.parse::<IpAddr>().is_ok(), is_socket(&own.address));
    let name = own.address.strip_suffix('.').unwrap_or(&own.address);
    report.not_carried_out(format!("{field}.address"), is_socket);
    if !is_address && !is_socket && !is_name_of_host(name) {
        let message = format!("{:?} is neither an IP address nor a DNS name", own.address);
        refuse(report, format!("{field}.address"), message);
    }
    for (name, number) in own.ports.iter().filter(|(_, number)| !is_port(**number)) {
        refuse(
            report,
            format!("{field}.ports[{name:?}]"),
            format!("{number} is not from 1 to 65535"),
        );
    }
    if let Some(weight) = own.weight.filter(|weight| !(1..=LARGEST_WEIGHT).contains(weight)) {
        refuse(
            report,
            format!("{field}.weight"),
            format!("{weight} is not from 1 to {LARGEST_WEIGHT}"),
        );
    }
}

/// Whether an endpoint is a socket of the file system, as Istio takes them: such a one is left out.
pub(crate) fn is_socket(address: &str) -> bool {
    address.starts_with("unix://")
}

fn refuse(report: &mut ObjectReport, field: String, message: String) {
    report.add(Severity::Error, Code::BadService, field, message);
}
