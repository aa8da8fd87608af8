//! Rules for connections as a whole: `tls` and `tcp` of a VirtualService.

use std::net::IpAddr;

use sealgate_core::config::{StreamDestination, TcpMatch, TlsMatch, VirtualServiceSpec};
use sealgate_core::convert::limits;
use sealgate_core::host;

use super::rules::gateways;
use super::{GATEWAYS, destinations, is_host, is_port};
use crate::report::ObjectReport;
use crate::{Code, Severity};

/// Server names of one block; each gets a filter chain.
const SERVER_NAMES: usize = 1_000;

pub(super) fn check(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    let hosts: Vec<String> = spec.hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
    for (at, rule) in spec.tls.iter().enumerate() {
        let place = format!("spec.tls[{at}]");
        if rule.r#match.is_empty() {
            let message = "there is none: a rule for TLS needs one with sniHosts";
            error(report, Code::NoServerNames, format!("{place}.match"), message);
        }
        report.at_most(rule.r#match.len(), limits::MATCHES, format!("{place}.match"));
        for (at, block) in rule.r#match.iter().enumerate() {
            tls_match(block, &hosts, &format!("{place}.match[{at}]"), report);
        }
        route(&rule.route, &place, report);
    }
    for (at, rule) in spec.tcp.iter().enumerate() {
        let place = format!("spec.tcp[{at}]");
        report.at_most(rule.r#match.len(), limits::MATCHES, format!("{place}.match"));
        for (at, block) in rule.r#match.iter().enumerate() {
            tcp_match(block, &format!("{place}.match[{at}]"), report);
        }
        route(&rule.route, &place, report);
    }
}

fn error(report: &mut ObjectReport, code: Code, field: String, message: impl Into<String>) {
    report.add(Severity::Error, code, field, message);
}

fn tls_match(block: &TlsMatch, hosts: &[String], place: &str, report: &mut ObjectReport) {
    if block.sni_hosts.is_empty() {
        error(
            report,
            Code::NoServerNames,
            format!("{place}.sniHosts"),
            "there is none",
        );
    }
    report.at_most(block.sni_hosts.len(), SERVER_NAMES, format!("{place}.sniHosts"));
    for (at, name) in block.sni_hosts.iter().enumerate() {
        server_name(name, hosts, format!("{place}.sniHosts[{at}]"), report);
    }
    subnets(
        &[("destinationSubnets", !block.destination_subnets.is_empty())],
        place,
        report,
    );
    scope(&block.gateways, block.port, place, report);
}

fn server_name(name: &str, hosts: &[String], field: String, report: &mut ObjectReport) {
    let name = name.to_ascii_lowercase();
    if !is_host(&name) {
        return error(
            report,
            Code::BadHost,
            field,
            format!("{name:?} is not a host name"),
        );
    }
    // Istio's rule: whoever reads the hosts knows which connections an object is for.
    if !hosts
        .iter()
        .any(|host| host::intersection(&name, host) == Some(&name))
    {
        let message = format!("{name} is not within the hosts of the VirtualService");
        return error(report, Code::BadHost, field, message);
    }
    if name.parse::<IpAddr>().is_ok() {
        let message = "clients send no server name (SNI) for an address, so none finds this rule by it";
        report.add(Severity::Warning, Code::AddressAsServerName, field, message);
    }
}

fn tcp_match(block: &TcpMatch, place: &str, report: &mut ObjectReport) {
    let given = [
        ("destinationSubnets", !block.destination_subnets.is_empty()),
        ("sourceSubnet", block.source_subnet.is_some()),
    ];
    subnets(&given, place, report);
    scope(&block.gateways, block.port, place, report);
}

/// Wider than it was written, a block would take connections that it is not for; so it takes none.
fn subnets(given: &[(&str, bool)], place: &str, report: &mut ObjectReport) {
    for (name, _) in given.iter().filter(|(_, is_given)| *is_given) {
        let message = "for clients in a mesh: a gateway does not look at addresses, and ignores this block";
        report.add(
            Severity::Warning,
            Code::NotCarriedOut,
            format!("{place}.{name}"),
            message,
        );
    }
}

fn scope(names: &[String], port: Option<u32>, place: &str, report: &mut ObjectReport) {
    report.at_most(names.len(), GATEWAYS, format!("{place}.gateways"));
    gateways(names, place, report);
    if let Some(port) = port.filter(|port| !is_port(*port)) {
        let message = format!("{port} is not from 1 to 65535");
        error(report, Code::BadPort, format!("{place}.port"), message);
    }
}

fn route(route: &[StreamDestination], place: &str, report: &mut ObjectReport) {
    if route.is_empty() {
        error(
            report,
            Code::NoAction,
            format!("{place}.route"),
            "the rule has no route",
        );
    }
    report.at_most(route.len(), limits::DESTINATIONS, format!("{place}.route"));
    for (at, to) in route.iter().enumerate() {
        let field = format!("{place}.route[{at}]");
        if to.destination.host.is_empty() {
            let field = format!("{field}.destination.host");
            error(report, Code::NoDestination, field, "there is none");
        }
        destinations::destination(&to.destination, &format!("{field}.destination"), report);
        if let Some(weight) = to.weight.filter(|weight| *weight < 0) {
            let message = format!("{weight}: a weight must not be negative");
            error(report, Code::BadWeight, format!("{field}.weight"), message);
        }
    }
    if route.len() > 1 && route.iter().all(|to| to.weight.unwrap_or(0) == 0) {
        error(
            report,
            Code::NoWeight,
            format!("{place}.route"),
            "all weights are 0",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Kind, ObjectRef};

    fn said(spec: Value) -> Vec<String> {
        let spec: VirtualServiceSpec = serde_json::from_value(spec).unwrap();
        let mut report = ObjectReport::new(ObjectRef::new(Kind::VirtualService, "ns", "v"));
        check(&spec, &mut report);
        let findings = report.into_findings().into_iter();
        findings
            .map(|own| {
                let severity = format!("{:?}", own.severity).to_ascii_lowercase();
                format!("{severity} {} {}", own.code, own.field.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn what_istio_refuses_is_refused_by_name() {
        let to = json!({"destination": {"host": "db"}});
        let tls = |rule: Value| json!({"hosts": ["*.a.test"], "tls": [rule]});
        let tcp = |rule: Value| json!({"hosts": ["*.a.test"], "tcp": [rule]});
        for (spec, expected) in [
            (
                tls(json!({"match": [{"sniHosts": ["*.A.test", "b.a.test"]}], "route": [to]})),
                vec![],
            ),
            (
                tls(json!({"route": [to]})),
                vec!["error no-server-names spec.tls[0].match"],
            ),
            (
                tls(json!({"match": [{"port": 0}], "route": [to]})),
                vec![
                    "error no-server-names spec.tls[0].match[0].sniHosts",
                    "error bad-port spec.tls[0].match[0].port",
                ],
            ),
            (
                tls(json!({"match": [{"sniHosts": ["*.test", "a b"]}], "route": [to]})),
                vec![
                    "error bad-host spec.tls[0].match[0].sniHosts[0]",
                    "error bad-host spec.tls[0].match[0].sniHosts[1]",
                ],
            ),
            (
                tls(json!({"match": [{"sniHosts": ["b.a.test"], "destinationSubnets": ["::/0"]}]})),
                vec![
                    "warning not-carried-out spec.tls[0].match[0].destinationSubnets",
                    "error no-action spec.tls[0].route",
                ],
            ),
            (tcp(json!({"route": [to]})), vec![]),
            (
                tcp(json!({"match": [{"gateways": ["A B"], "sourceSubnet": "::/0"}], "route": [to, to]})),
                vec![
                    "warning not-carried-out spec.tcp[0].match[0].sourceSubnet",
                    "error bad-gateway-name spec.tcp[0].match[0].gateways[0]",
                    "error no-weight spec.tcp[0].route",
                ],
            ),
            (
                tcp(json!({"route": [{"destination": {}, "weight": -1}]})),
                vec![
                    "error no-destination spec.tcp[0].route[0].destination.host",
                    "error bad-weight spec.tcp[0].route[0].weight",
                ],
            ),
        ] {
            assert_eq!(said(spec.clone()), expected, "{spec}");
        }
    }
}
