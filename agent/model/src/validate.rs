//! What can be said of an object by itself, before it replaces the one that is served.

mod destinations;
mod gateway;
mod rules;
mod services;
mod streams;
mod tls;

use sealgate_core::config::VirtualServiceSpec;
use sealgate_core::convert;
use sealgate_core::host::is_subset;
use sealgate_core::rules::RuleOrigin;

pub(crate) use self::services::{SUBJECT_ALT_NAMES, is_socket};
pub(crate) use sealgate_core::host::{is_name as is_name_of_host, is_pattern as is_host};

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
        Object::WorkloadEntry(_, spec) => services::workload_entry(spec, &mut report),
        Object::Secret(_)
        | Object::Service(..)
        | Object::EndpointSlice(..)
        | Object::Endpoints(..)
        | Object::Pod(_) => {}
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
            format!("the regexes up to http[{at}] take more than {megabytes} MB when compiled, the limit for an object"),
        );
    }
    beyond.is_none()
}

/// Lists that are compared with each other.
fn bound(spec: &VirtualServiceSpec, report: &mut ObjectReport) {
    report.at_most(spec.gateways.len(), GATEWAYS, "spec.gateways");
    for (at, rule) in spec.http.iter().enumerate() {
        for (block, own) in rule.r#match.iter().enumerate() {
            let field = format!("spec.http[{at}].match[{block}].gateways");
            report.at_most(own.gateways.len(), GATEWAYS, field);
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
    streams::check(spec, report);
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
    if let Some(Err(reason)) = annotation::http3(meta) {
        refuse(annotation::HTTP3, Code::BadHttp3, reason);
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

fn is_port(number: u32) -> bool {
    (1..=65535).contains(&number)
}
