//! Versions and cipher suites: what Envoy refuses of them, and with what no handshake succeeds.

use sealgate_core::config::ServerTls;

use crate::cipher::{self, BadSuites};
use crate::report::ObjectReport;
use crate::{Code, Severity};

/// In order.
const VERSIONS: [&str; 4] = ["TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"];
/// The versions of a server that says nothing of them.
const LOWEST: &str = "TLSV1_2";
const HIGHEST: &str = "TLSV1_3";
/// Whatever is the default.
const AUTO: &str = "TLS_AUTO";

pub(super) fn check(tls: &ServerTls, field: &str, report: &mut ObjectReport) {
    let lowest = version(
        &tls.min_protocol_version,
        LOWEST,
        "minProtocolVersion",
        field,
        report,
    );
    let highest = version(
        &tls.max_protocol_version,
        HIGHEST,
        "maxProtocolVersion",
        field,
        report,
    );
    if let (Some(lowest), Some(highest)) = (lowest, highest)
        && lowest > highest
    {
        let place = if tls.min_protocol_version.is_some() {
            "minProtocolVersion"
        } else {
            "maxProtocolVersion"
        };
        let message = format!(
            "no handshake can succeed: the minimum version, {}, is higher than the maximum, {}",
            VERSIONS[lowest], VERSIONS[highest]
        );
        report.add(
            Severity::Error,
            Code::BadTlsVersion,
            format!("{field}.{place}"),
            message,
        );
    }
    suites(tls, lowest, field, report);
}

/// The place of a version among all; none if it is none.
fn version(
    given: &Option<String>,
    default: &str,
    place: &str,
    field: &str,
    report: &mut ObjectReport,
) -> Option<usize> {
    let text = given.as_deref().filter(|text| *text != AUTO).unwrap_or(default);
    let found = VERSIONS.iter().position(|version| *version == text);
    if found.is_none() {
        let message = format!("{text:?} is not one of {AUTO}, {}", VERSIONS.join(", "));
        report.add(
            Severity::Error,
            Code::BadTlsVersion,
            format!("{field}.{place}"),
            message,
        );
    }
    found
}

fn suites(tls: &ServerTls, lowest: Option<usize>, field: &str, report: &mut ObjectReport) {
    let suites = match cipher::chosen(&tls.cipher_suites) {
        Ok(suites) => suites,
        Err(bad) => {
            let (place, message) = match bad {
                BadSuites::Entry(at, reason) => (format!("{field}.cipherSuites[{at}]"), reason.to_string()),
                BadSuites::Nothing => (
                    format!("{field}.cipherSuites"),
                    "the list selects no cipher suite; those of TLS 1.3 are always enabled and cannot be selected"
                        .to_owned(),
                ),
            };
            return report.add(Severity::Error, Code::BadCipherSuite, place, message);
        }
    };
    for (at, entry) in tls.cipher_suites.iter().enumerate() {
        if cipher::is_of_tls_1_3(entry) {
            let message = "TLS 1.3 suites are always enabled and cannot be selected: this name has no effect";
            let place = format!("{field}.cipherSuites[{at}]");
            report.add(Severity::Warning, Code::NoEffect, place, message);
        }
    }
    let is_old = lowest.is_some_and(|lowest| VERSIONS[lowest] < LOWEST);
    if is_old && !suites.iter().any(|suite| suite.is_old) {
        let message = "no suite of the server works below TLS 1.2, so no such client gets in: cipherSuites names those that \
                       do, such as ECDHE-ECDSA-AES128-SHA";
        let place = format!("{field}.minProtocolVersion");
        report.add(Severity::Warning, Code::NoSuiteForVersion, place, message);
    }
}
