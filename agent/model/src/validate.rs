//! What can be said of an object by itself, before it replaces the one that is served.

mod destinations;
mod gateway;
mod rules;
mod services;
mod tls;

use sealgate_core::config::VirtualServiceSpec;
use sealgate_core::convert;
use sealgate_core::rules::RuleOrigin;

use crate::annotation;
use crate::gateway_ref::is_namespace;
use crate::lint;
use crate::report::ObjectReport;
use crate::{Code, Finding, Meta, Object, Severity};

/// Gateways that a VirtualService, or a block of one, names.
pub(crate) const GATEWAYS: usize = 64;

/// Findings of an object; one of severity error refuses it.
#[must_use]
pub fn object(object: &Object) -> Vec<Finding> {
    let mut report = ObjectReport::new(object.object_ref());
    match object {
        Object::VirtualService(_, spec) => {
            if regexes(spec, &mut report) {
                virtual_service(spec, &mut report);
                lint::virtual_service(spec, &mut report);
            }
        }
        Object::Gateway(meta, spec) => {
            gateway::check(spec, &mut report);
            annotations(meta, &mut report);
        }
        Object::DestinationRule(_, spec) => services::destination_rule(spec, &mut report),
        Object::ServiceEntry(_, spec) => services::service_entry(spec, &mut report),
        Object::Secret(_) | Object::Service(..) | Object::EndpointSlice(..) | Object::Endpoints(..) => {}
    }
    report.into_findings()
}

/// Whether its regexes are within the limit: each of them is compiled more than once to come.
fn regexes(spec: &VirtualServiceSpec, report: &mut ObjectReport) -> bool {
    let mut meter = convert::RegexMeter::default();
    let beyond = spec.http.iter().position(|rule| !meter.add(rule));
    if let Some(at) = beyond {
        let megabytes = convert::limits::REGEXES >> 20;
        report.add(
            Severity::Error,
            Code::OverLimit,
            "spec.http".to_owned(),
            format!("the regexes up to http[{at}] take more than {megabytes} MB compiled, which is the limit of an object"),
        );
    }
    beyond.is_none()
}

/// Lists that are compared with each other.
fn bound(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    let mut at_most = |found: usize, field: String| {
        if found > GATEWAYS {
            let message = format!("{found} of them: up to {GATEWAYS} are taken");
            report.add(Severity::Error, Code::OverLimit, field, message);
        }
    };
    at_most(spec.gateways.len(), "spec.gateways".to_owned());
    for (at, rule) in spec.http.iter().enumerate() {
        for (block, own) in rule.r#match.iter().enumerate() {
            at_most(
                own.gateways.len(),
                format!("spec.http[{at}].match[{block}].gateways"),
            );
        }
    }
}

fn virtual_service(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    // Without hosts it is there for others to delegate to, and bound by them.
    if spec.hosts.is_empty() && !spec.gateways.is_empty() {
        report.add(
            Severity::Error,
            Code::NoHosts,
            "spec.hosts".to_owned(),
            "there is none; a delegate has neither hosts nor gateways",
        );
    }
    bound(spec, report);
    rules::check(spec, report);
    for (at, name) in spec.hosts.iter().enumerate() {
        if !is_host(&name.to_ascii_lowercase()) {
            report.add(
                Severity::Error,
                Code::BadHost,
                format!("spec.hosts[{at}]"),
                format!("{name:?} is not a host name"),
            );
        }
    }
    for (at, rule) in spec.http.iter().enumerate() {
        let kept: Vec<usize> = (0..rule.r#match.len()).collect();
        let problems = if rule.delegate.is_some() && !spec.hosts.is_empty() {
            convert::delegate::check_root(rule)
        } else {
            match convert::rule(RuleOrigin::default(), rule, &kept, &mut |_| String::new()) {
                Ok((_, problems)) | Err(problems) => problems,
            }
        };
        problems
            .into_iter()
            .for_each(|problem| report.problem(&format!("spec.http[{at}]"), problem));
    }
    destinations::check(spec, report);
    report.not_carried_out("spec.tls", !spec.tls.is_empty());
    report.not_carried_out("spec.tcp", !spec.tcp.is_empty());
}

/// Half understood, they would say something else.
fn annotations(meta: &Meta, report: &mut ObjectReport) {
    let mut refuse = |name: &str, code, reason: String| {
        report.add(
            Severity::Error,
            code,
            format!("metadata.annotations[{name}]"),
            reason,
        );
    };
    if let Some(Err(reason)) = annotation::identity(meta) {
        refuse(annotation::IDENTITY, Code::BadIdentity, reason);
    }
    if let Some(Err(reason)) = annotation::certificates(meta) {
        refuse(annotation::CERTIFICATES, Code::BadCertificates, reason);
    }
    if let Some(Err(reason)) = annotation::escaped_slashes(meta) {
        refuse(annotation::ESCAPED_SLASHES, Code::BadEscapedSlashes, reason);
    }
}

/// `ns/dns` as both, the name lower-case; no namespace is any.
#[must_use]
pub fn split_host(text: &str) -> (Option<&str>, String) {
    match text.split_once('/') {
        Some((namespace, name)) => (
            Some(namespace).filter(|namespace| *namespace != "*"),
            name.to_ascii_lowercase(),
        ),
        None => (None, text.to_ascii_lowercase()),
    }
}

/// Whether a server's host names a namespace that there can be, if it names one.
fn is_namespaced(text: &str) -> bool {
    let namespace = text.split_once('/').map(|(namespace, _)| namespace);
    namespace.is_none_or(|own| matches!(own, "*" | ".") || is_namespace(own))
}

/// Whether this is a host name or a wildcard.
pub(crate) fn is_host(name: &str) -> bool {
    name == "*" || is_name_of_host(name.strip_prefix("*.").unwrap_or(name))
}

/// Whether this is the name of a host, and not a pattern.
#[must_use]
pub(crate) fn is_name_of_host(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !label.is_empty() && label.len() <= 63 && label.bytes().all(is_allowed)
}

fn is_port(number: u32) -> bool {
    (1..=65535).contains(&number)
}

/// A name becomes part of a cluster's, and of a line of the log.
fn is_subset(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= 63 && name.bytes().all(is_allowed)
}
