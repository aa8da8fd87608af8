//! What can be said of an object by itself, before it replaces the one that is served.

use std::collections::BTreeMap;

use sealgate_core::config::{GatewaySpec, Server, VirtualServiceSpec};
use sealgate_core::convert::{self, Problem};
use sealgate_core::table::Origin;

use crate::object::{Finding, Meta, Object, ObjectRef, Severity};
use crate::translate::identity::{ANNOTATION, annotation};

/// Findings of an object; one of severity error refuses it.
#[must_use]
pub fn object(object: &Object) -> Vec<Finding> {
    let mut report = Report {
        object: object.object_ref(),
        findings: Vec::new(),
    };
    match object {
        Object::VirtualService(_, spec) => virtual_service(spec, &mut report),
        Object::Gateway(meta, spec) => {
            gateway(spec, &mut report);
            identity(meta, &mut report);
        }
        _ => {}
    }
    report.findings
}

struct Report {
    object: ObjectRef,
    findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, severity: Severity, code: &'static str, field: String, message: impl Into<String>) {
        let (object, message) = (self.object.clone(), message.into());
        self.findings.push(Finding {
            severity,
            code,
            object,
            field: Some(field),
            message,
        });
    }

    fn problem(&mut self, prefix: &str, problem: Problem) {
        let severity = if problem.refused {
            Severity::Error
        } else {
            Severity::Warning
        };
        self.add(
            severity,
            problem.code,
            format!("{prefix}.{}", problem.field),
            problem.message,
        );
    }
}

fn virtual_service(spec: &VirtualServiceSpec, report: &mut Report) {
    // Without hosts it is there for others to delegate to, and bound by them.
    if spec.hosts.is_empty() && !spec.gateways.is_empty() {
        report.add(
            Severity::Error,
            "no-hosts",
            "spec.hosts".to_owned(),
            "there is none; a delegate has neither hosts nor gateways",
        );
    }
    for (at, name) in spec.hosts.iter().enumerate() {
        if !is_host(&name.to_ascii_lowercase()) {
            report.add(
                Severity::Error,
                "bad-host",
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
            match convert::rule(Origin::default(), rule, &kept, &mut |_| String::new()) {
                Ok((_, problems)) | Err(problems) => problems,
            }
        };
        problems
            .into_iter()
            .for_each(|problem| report.problem(&format!("spec.http[{at}]"), problem));
    }
    for (field, present) in [
        ("spec.tls", !spec.tls.is_empty()),
        ("spec.tcp", !spec.tcp.is_empty()),
    ] {
        if present {
            report.add(
                Severity::Warning,
                "not-carried-out",
                field.to_owned(),
                "this field is known and not carried out",
            );
        }
    }
}

fn gateway(spec: &GatewaySpec, report: &mut Report) {
    if spec.servers.is_empty() {
        report.add(
            Severity::Error,
            "no-servers",
            "spec.servers".to_owned(),
            "there is none",
        );
    }
    for (at, own) in spec.servers.iter().enumerate() {
        server(own, &format!("spec.servers[{at}]"), report);
    }
}

/// What upstreams are told of clients: half understood, it would tell them something else.
fn identity(meta: &Meta, report: &mut Report) {
    if let Some(Err(reason)) = annotation(meta) {
        let field = format!("metadata.annotations[{ANNOTATION}]");
        report.add(Severity::Error, "bad-identity", field, reason);
    }
}

fn server(server: &Server, field: &str, report: &mut Report) {
    let mut refuse = |code, place: &str, message: String| {
        report.add(Severity::Error, code, format!("{field}.{place}"), message);
    };
    if !(1..=65535).contains(&server.port.number) {
        refuse(
            "bad-port",
            "port.number",
            format!("{}: from 1 to 65535", server.port.number),
        );
    }
    if server.hosts.is_empty() {
        refuse("no-hosts", "hosts", "there is none".to_owned());
    }
    for (at, name) in server.hosts.iter().enumerate() {
        let (_, name) = split_host(name);
        if !is_host(&name) {
            refuse(
                "bad-host",
                &format!("hosts[{at}]"),
                format!("{name:?} is not a host name"),
            );
        }
    }
    match server.port.protocol.as_str() {
        "HTTPS" => tls(server, &mut refuse),
        "HTTP" | "HTTP2" | "GRPC" => {}
        other => refuse(
            "not-carried-out",
            "port.protocol",
            format!("{other:?}: HTTP, HTTP2, GRPC and HTTPS are served"),
        ),
    }
    for (place, given) in [
        ("bind", &server.bind),
        ("defaultEndpoint", &server.default_endpoint),
    ] {
        if given.is_some() {
            let message = "this field is known and not carried out".to_owned();
            report.add(
                Severity::Warning,
                "not-carried-out",
                format!("{field}.{place}"),
                message,
            );
        }
    }
}

fn tls(server: &Server, refuse: &mut impl FnMut(&'static str, &str, String)) {
    let Some(tls) = &server.tls else {
        return refuse("no-tls", "tls", "an HTTPS server needs one".to_owned());
    };
    match tls.mode.as_deref().unwrap_or("SIMPLE") {
        "SIMPLE" | "MUTUAL" | "OPTIONAL_MUTUAL" => {}
        other => refuse(
            "not-carried-out",
            "tls.mode",
            format!("{other}: SIMPLE, MUTUAL and OPTIONAL_MUTUAL are served"),
        ),
    }
    if tls.credential_name.as_deref().unwrap_or_default().is_empty() && tls.credential_names.is_empty() {
        refuse(
            "no-credential-name",
            "tls.credentialName",
            "certificates come from a Secret: its name is needed".to_owned(),
        );
    }
    let files = [
        &tls.server_certificate,
        &tls.private_key,
        &tls.ca_certificates,
        &tls.ca_crl,
    ];
    if files.into_iter().any(Option::is_some) || !tls.tls_certificates.is_empty() {
        refuse(
            "not-carried-out",
            "tls.serverCertificate",
            "files of the proxy are not read; use credentialName".to_owned(),
        );
    }
    for (place, version) in [
        ("minProtocolVersion", &tls.min_protocol_version),
        ("maxProtocolVersion", &tls.max_protocol_version),
    ] {
        let known = ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"];
        if let Some(version) = version.as_deref().filter(|version| !known.contains(version)) {
            refuse(
                "bad-tls-version",
                &format!("tls.{place}"),
                format!("{version:?}: one of {}", known.join(", ")),
            );
        }
    }
    for (at, suite) in tls
        .cipher_suites
        .iter()
        .enumerate()
        .filter(|(_, suite)| !CIPHERS.contains(&suite.as_str()))
    {
        refuse(
            "bad-cipher-suite",
            &format!("tls.cipherSuites[{at}]"),
            format!("{suite:?} is not known to Envoy"),
        );
    }
}

/// What Envoy's TLS library takes for TLS 1.2; it refuses a listener with any other.
const CIPHERS: [&str; 14] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
];

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

fn is_host(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    name == "*"
        || (!rest.is_empty()
            && rest.len() <= 253
            && rest.split('.').all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            }))
}

/// Whether one gateway could serve both.
#[must_use]
pub fn selectors_overlap(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> bool {
    a.iter()
        .all(|(key, value)| b.get(key).is_none_or(|other| other == value))
}

/// A host that both ask TLS connections for on one port, and where `a` does.
#[must_use]
pub fn shared_tls_host(a: &GatewaySpec, b: &GatewaySpec) -> Option<(String, String)> {
    let secure = |server: &&Server| server.port.protocol == "HTTPS";
    a.servers
        .iter()
        .enumerate()
        .filter(|(_, server)| secure(server))
        .find_map(|(at, own)| {
            let others = b
                .servers
                .iter()
                .filter(secure)
                .filter(|other| other.port.number == own.port.number);
            let taken: Vec<String> = others
                .flat_map(|other| &other.hosts)
                .map(|name| split_host(name).1)
                .collect();
            let names = own.hosts.iter().map(|name| split_host(name).1);
            names
                .into_iter()
                .find(|name| taken.contains(name))
                .map(|name| (format!("spec.servers[{at}].hosts"), name))
        })
}
