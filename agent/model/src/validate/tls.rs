//! A server's `tls`: how TLS ends there, and what is left of it on a plain port.

mod handshake;
mod names;

use std::net::IpAddr;

use sealgate_core::config::{Server, ServerTls};

use super::split_host;
use crate::protocol::ServerProtocol;
use crate::report::ObjectReport;
use crate::{Code, Severity};

/// A certificate for each kind of key, and as many again.
const CREDENTIAL_NAMES: usize = 8;

/// Of a server where TLS ends, at `field`.
pub(super) fn secure(server: &Server, field: &str, report: &mut ObjectReport) {
    let mut refuse = |code, place: &str, message: String| {
        report.add(Severity::Error, code, format!("{field}.{place}"), message);
    };
    let Some(tls) = &server.tls else {
        return refuse(
            Code::NoTls,
            "tls",
            format!("a server of protocol {} needs one", server.port.protocol),
        );
    };
    settings(tls, &mut refuse);
    let place = format!("{field}.tls");
    handshake::check(tls, &place, report);
    unused(tls, &place, report);
    addresses(server, field, report);
}

/// Of a server that does not end TLS, at `field`: all but the mode means nothing.
pub(super) fn passthrough(server: &Server, field: &str, report: &mut ObjectReport) {
    let Some(tls) = &server.tls else { return };
    if tls.mode.as_deref() == Some("AUTO_PASSTHROUGH") {
        let message = "AUTO_PASSTHROUGH is for gateways between clusters of a mesh, whose sidecars write a destination into \
                       the server name: any client could choose any service by it; use PASSTHROUGH and `tls` rules";
        report.add(
            Severity::Error,
            Code::NotCarriedOut,
            format!("{field}.tls.mode"),
            message,
        );
    }
    let mode = ServerTls {
        mode: tls.mode.clone(),
        ..ServerTls::default()
    };
    if **tls != mode {
        let message = "TLS does not end at this server: only `mode` has an effect";
        report.add(Severity::Warning, Code::NoEffect, format!("{field}.tls"), message);
    }
    addresses(server, field, report);
}

/// Of a server in plain text at `field`: what asks for TLS is refused, for its author means that nothing is plain.
pub(super) fn plain(server: &Server, field: &str, report: &mut ObjectReport) {
    let Some(tls) = &server.tls else { return };
    let is_http = ServerProtocol::of(server) == Some(ServerProtocol::Plain);
    let redirect = ServerTls {
        https_redirect: tls.https_redirect && is_http,
        ..ServerTls::default()
    };
    if **tls != redirect {
        let allowed = if is_http { "only httpsRedirect" } else { "nothing" };
        let message = format!(
            "a server of protocol {} does not end TLS: {allowed} may stand here, and its hosts would be served in plain text",
            server.port.protocol
        );
        report.add(
            Severity::Error,
            Code::TlsOnPlainPort,
            format!("{field}.tls"),
            message,
        );
    }
}

fn settings(tls: &ServerTls, refuse: &mut impl FnMut(Code, &str, String)) {
    match tls.mode.as_deref().unwrap_or("SIMPLE") {
        "SIMPLE" | "MUTUAL" | "OPTIONAL_MUTUAL" => {}
        other => refuse(
            Code::NotCarriedOut,
            "tls.mode",
            format!("{other}: must be SIMPLE, MUTUAL, OPTIONAL_MUTUAL or PASSTHROUGH"),
        ),
    }
    if tls.credential_name.as_deref().unwrap_or_default().is_empty() && tls.credential_names.is_empty() {
        refuse(
            Code::NoCredentialName,
            "tls.credentialName",
            "the name of the Secret with the certificate is required".to_owned(),
        );
    }
    let count = tls.credential_names.len();
    if count > CREDENTIAL_NAMES {
        let message = format!("{count} entries; the limit is {CREDENTIAL_NAMES}");
        refuse(Code::OverLimit, "tls.credentialNames", message);
    }
    names::names(tls, refuse);
    names::pins(tls, refuse);
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
}

/// What means nothing where it stands.
fn unused(tls: &ServerTls, field: &str, report: &mut ObjectReport) {
    let mut doubt = |code, place: &str, message: &str| {
        report.add(Severity::Warning, code, format!("{field}.{place}"), message);
    };
    if tls.https_redirect {
        let message =
            "only plain HTTP is redirected: on a server with the protocol HTTPS, this has no effect";
        doubt(Code::NoEffect, "httpsRedirect", message);
    }
    if tls.mode.as_deref().unwrap_or("SIMPLE") != "SIMPLE" {
        return;
    }
    for (place, given) in [
        ("subjectAltNames", !tls.subject_alt_names.is_empty()),
        ("verifyCertificateSpki", !tls.verify_certificate_spki.is_empty()),
        ("verifyCertificateHash", !tls.verify_certificate_hash.is_empty()),
        ("caCertCredentialName", tls.ca_cert_credential_name.is_some()),
    ] {
        if given {
            let message = "with mode SIMPLE, clients are not asked for a certificate";
            doubt(Code::NotCarriedOut, place, message);
        }
    }
}

/// Clients send no SNI for an address, so they never find the server by it (RFC 6066).
fn addresses(server: &Server, field: &str, report: &mut ObjectReport) {
    for (at, host) in server.hosts.iter().enumerate() {
        let (_, name) = split_host(host);
        if name.parse::<IpAddr>().is_ok() {
            let message = format!(
                "clients send no server name (SNI) for an address, so none reaches this server as {name}: use the host `*`"
            );
            let field = format!("{field}.hosts[{at}]");
            report.add(Severity::Warning, Code::AddressAsServerName, field, message);
        }
    }
}
