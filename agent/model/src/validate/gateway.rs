//! Gateways: their servers one by one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sealgate_core::config::{GatewaySpec, Server, ServerTls};

use super::{is_host, is_port, split_host};
use crate::BUNDLE_SUFFIX;
use crate::manifest::is_name;
use crate::report::ObjectReport;
use crate::{Code, Severity};

/// A certificate for each kind of key, and as many again.
const CREDENTIAL_NAMES: usize = 8;

pub(super) fn check(spec: &GatewaySpec, report: &mut ObjectReport) {
    if spec.servers.is_empty() {
        report.add(
            Severity::Error,
            Code::NoServers,
            "spec.servers".to_owned(),
            "there is none",
        );
    }
    for (at, own) in spec.servers.iter().enumerate() {
        server(own, &format!("spec.servers[{at}]"), report);
    }
}

fn server(server: &Server, field: &str, report: &mut ObjectReport) {
    let mut refuse = |code, place: &str, message: String| {
        report.add(Severity::Error, code, format!("{field}.{place}"), message);
    };
    if !is_port(server.port.number) {
        refuse(
            Code::BadPort,
            "port.number",
            format!("{}: from 1 to 65535", server.port.number),
        );
    }
    if server.hosts.is_empty() {
        refuse(Code::NoHosts, "hosts", "there is none".to_owned());
    }
    for (at, name) in server.hosts.iter().enumerate() {
        let (_, name) = split_host(name);
        if !is_host(&name) {
            refuse(
                Code::BadHost,
                &format!("hosts[{at}]"),
                format!("{name:?} is not a host name"),
            );
        }
    }
    match server.port.protocol.as_str() {
        "HTTPS" => tls(server, &mut refuse),
        "HTTP" | "HTTP2" | "GRPC" => {}
        other => refuse(
            Code::NotCarriedOut,
            "port.protocol",
            format!("{other:?}: HTTP, HTTP2, GRPC and HTTPS are served"),
        ),
    }
    for (place, given) in [
        ("bind", server.bind.is_some()),
        ("defaultEndpoint", server.default_endpoint.is_some()),
        ("port.targetPort", server.port.target_port.is_some()),
    ] {
        report.not_carried_out(format!("{field}.{place}"), given);
    }
    if let Some(tls) = &server.tls {
        unused_tls(server, tls, &format!("{field}.tls"), report);
    }
}

/// What stands under `tls` and means nothing where it stands.
fn unused_tls(server: &Server, tls: &ServerTls, field: &str, report: &mut ObjectReport) {
    let secure = server.port.protocol == "HTTPS";
    let named = tls.credential_name.is_some() || !tls.credential_names.is_empty();
    if !secure && (named || tls.mode.is_some()) {
        let message = format!(
            "a server of protocol {} does not end TLS: it is served in plain text",
            server.port.protocol
        );
        report.add(Severity::Warning, Code::NotCarriedOut, field.to_owned(), message);
    }
    if secure && tls.mode.as_deref().unwrap_or("SIMPLE") == "SIMPLE" {
        for (place, given) in [
            ("subjectAltNames", !tls.subject_alt_names.is_empty()),
            ("verifyCertificateSpki", !tls.verify_certificate_spki.is_empty()),
            ("verifyCertificateHash", !tls.verify_certificate_hash.is_empty()),
            ("caCertCredentialName", tls.ca_cert_credential_name.is_some()),
        ] {
            if given {
                let message = "with mode SIMPLE clients are not asked for a certificate";
                report.add(
                    Severity::Warning,
                    Code::NotCarriedOut,
                    format!("{field}.{place}"),
                    message,
                );
            }
        }
    }
}

fn tls(server: &Server, refuse: &mut impl FnMut(Code, &str, String)) {
    let Some(tls) = &server.tls else {
        return refuse(Code::NoTls, "tls", "an HTTPS server needs one".to_owned());
    };
    match tls.mode.as_deref().unwrap_or("SIMPLE") {
        "SIMPLE" | "MUTUAL" | "OPTIONAL_MUTUAL" => {}
        other => refuse(
            Code::NotCarriedOut,
            "tls.mode",
            format!("{other}: SIMPLE, MUTUAL and OPTIONAL_MUTUAL are served"),
        ),
    }
    if tls.credential_name.as_deref().unwrap_or_default().is_empty() && tls.credential_names.is_empty() {
        refuse(
            Code::NoCredentialName,
            "tls.credentialName",
            "certificates come from a Secret: its name is needed".to_owned(),
        );
    }
    let count = tls.credential_names.len();
    if count > CREDENTIAL_NAMES {
        let message = format!("{count} of them: up to {CREDENTIAL_NAMES} are taken");
        refuse(Code::OverLimit, "tls.credentialNames", message);
    }
    names(tls, refuse);
    pins(tls, refuse);
    for (place, given) in [
        ("serverCertificate", tls.server_certificate.is_some()),
        ("privateKey", tls.private_key.is_some()),
        ("caCertificates", tls.ca_certificates.is_some()),
        ("caCrl", tls.ca_crl.is_some()),
        ("tlsCertificates", !tls.tls_certificates.is_empty()),
    ] {
        if given {
            let message = "files of the proxy are not read; use credentialName".to_owned();
            refuse(Code::NotCarriedOut, &format!("tls.{place}"), message);
        }
    }
    for (place, version) in [
        ("minProtocolVersion", &tls.min_protocol_version),
        ("maxProtocolVersion", &tls.max_protocol_version),
    ] {
        let known = ["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"];
        if let Some(version) = version.as_deref().filter(|version| !known.contains(version)) {
            refuse(
                Code::BadTlsVersion,
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
            Code::BadCipherSuite,
            &format!("tls.cipherSuites[{at}]"),
            format!("{suite:?} is not known to Envoy"),
        );
    }
}

/// The names of Secrets become selectors, paths and the names of resources.
fn names(tls: &ServerTls, refuse: &mut impl FnMut(Code, &str, String)) {
    let single = [
        ("credentialName", &tls.credential_name),
        ("caCertCredentialName", &tls.ca_cert_credential_name),
    ];
    let single = single
        .into_iter()
        .filter_map(|(place, name)| Some((place.to_owned(), name.as_ref()?)));
    let several = tls.credential_names.iter().enumerate();
    let several = several.map(|(at, name)| (format!("credentialNames[{at}]"), name));
    for (place, name) in single.chain(several) {
        let is_bundle = place != "caCertCredentialName" && name.ends_with(BUNDLE_SUFFIX);
        if is_bundle {
            let message = format!(
                "{name:?}: a name that ends in {BUNDLE_SUFFIX} is a trust bundle's, and no key pair's"
            );
            refuse(Code::BadCredentialName, &format!("tls.{place}"), message);
        }
        // An empty one is as good as none.
        if !name.is_empty() && !is_name(name) {
            let message =
                format!("{name:?} cannot be a Secret's name: lower-case letters, digits, `-` and `.`");
            refuse(Code::BadCredentialName, &format!("tls.{place}"), message);
        }
    }
}

/// As Envoy wants them: it refuses a whole listener for one that it cannot read.
fn pins(tls: &ServerTls, refuse: &mut impl FnMut(Code, &str, String)) {
    for (at, pin) in tls.verify_certificate_spki.iter().enumerate() {
        if !is_spki(pin) {
            let message = format!("{pin:?}: the base64 of a SHA-256, 44 letters");
            refuse(
                Code::BadCertificatePin,
                &format!("tls.verifyCertificateSpki[{at}]"),
                message,
            );
        }
    }
    for (at, pin) in tls.verify_certificate_hash.iter().enumerate() {
        if !is_hash(pin) {
            let message =
                format!("{pin:?}: a SHA-256 as 64 hexadecimal digits, or pairs of them with colons");
            refuse(
                Code::BadCertificatePin,
                &format!("tls.verifyCertificateHash[{at}]"),
                message,
            );
        }
    }
}

fn is_spki(pin: &str) -> bool {
    STANDARD.decode(pin).is_ok_and(|bytes| bytes.len() == 32)
}

fn is_hash(pin: &str) -> bool {
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    match pin.len() {
        64 => pin.bytes().all(|byte| byte.is_ascii_hexdigit()),
        95 => pin.split(':').all(is_pair),
        _ => false,
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
