//! What Istio refuses of a VirtualService as it is written, beside what the conversion of each rule finds: there the rules of
//! a root and its delegate are one already.

use sealgate_core::config::{HttpRoute, VirtualServiceSpec};

use super::is_port;
use crate::gateway_ref::is_possible;
use crate::report::ObjectReport;
use crate::{Code, Severity};

pub(super) fn check(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    if spec.http.is_empty() && spec.tls.is_empty() && spec.tcp.is_empty() {
        let message = "there is none";
        report.add(Severity::Error, Code::NoRules, "spec.http".to_owned(), message);
    }
    gateways(&spec.gateways, "spec", report);
    for (at, own) in spec.http.iter().enumerate() {
        rule(own, &format!("spec.http[{at}]"), report);
    }
}

fn rule(rule: &HttpRoute, place: &str, report: &mut ObjectReport) {
    if rule.mirror.is_some() && !rule.mirrors.is_empty() {
        let message = "only one of mirror and mirrors may be given";
        report.add(
            Severity::Error,
            Code::AmbiguousMirror,
            format!("{place}.mirror"),
            message,
        );
    }
    for (at, block) in rule.r#match.iter().enumerate() {
        let place = format!("{place}.match[{at}]");
        gateways(&block.gateways, &place, report);
        if let Some(port) = block.port.filter(|port| !is_port(*port)) {
            let message = format!("{port} is not from 1 to 65535");
            report.add(Severity::Error, Code::BadPort, format!("{place}.port"), message);
        }
    }
}

pub(super) fn gateways(names: &[String], place: &str, report: &mut ObjectReport) {
    for (at, name) in names.iter().enumerate().filter(|(_, name)| !is_possible(name)) {
        let message = format!("{name:?}: a Gateway is named NAME, NAMESPACE/NAME or NAME.NAMESPACE");
        let field = format!("{place}.gateways[{at}]");
        report.add(Severity::Error, Code::BadGatewayName, field, message);
    }
}
