//! Findings about the certificates of a server: those that are missing, and those that no handshake uses.

use super::gateway::DeclaredServer;
use super::server_finding::of_server;
use super::tls::Served;
use super::world::{ServedCertificate, World};
use crate::cipher::{self, KeyKind};
use crate::resolved::{Tls, TlsVersion};
use crate::{Code, CredentialName, Finding, Severity};

/// The findings for a served server.
pub(super) fn findings(server: &DeclaredServer, served: &Served, world: World<'_>) -> Vec<Finding> {
    let asked = server.tls.as_deref().unwrap_or(&served.tls);
    let missing = served.missing.iter();
    let missing = missing.map(|name| missing_credential(server, asked, served, name, world));
    let certificates: Vec<_> = asked
        .certificates
        .iter()
        .map(|name| (world.certificate)(name))
        .collect();
    let unusable = unusable(server, asked, &certificates);
    let doubled = doubled(server, asked, &certificates);
    missing.chain(unusable).chain(doubled).collect()
}

fn missing_credential(
    server: &DeclaredServer,
    asked: &Tls,
    served: &Served,
    name: &CredentialName,
    world: World<'_>,
) -> Finding {
    let pair = asked.certificates.iter().position(|own| own == name);
    let is_there = |own: &CredentialName| !served.missing.contains(own);
    let has_another = pair.is_some() && asked.certificates.iter().any(is_there);
    let (severity, effect) = match (served.held, has_another) {
        (true, _) => (Severity::Error, "the previous one stays in use"),
        (false, true) => (
            Severity::Warning,
            "its hosts are served with the other certificates",
        ),
        (false, false) => (
            Severity::Error,
            "until there is, connections to its hosts fail, except on proxies that already have it",
        ),
    };
    let namesake = (world.namesake)(name).map(|other| {
        format!(
            "; there is {other}, but Gateways name Secrets of the namespace {}",
            name.namespace
        )
    });
    let message = format!(
        "there is no valid Secret {name} yet: {effect}{}",
        namesake.unwrap_or_default()
    );
    let field = server.named.field(pair);
    of_server(server, severity, Code::CredentialNotReady, &field, message)
}

/// Cipher suites for a key type that none of its certificates has.
fn unusable(
    server: &DeclaredServer,
    asked: &Tls,
    certificates: &[Option<ServedCertificate>],
) -> Option<Finding> {
    if asked.min_version > TlsVersion::V1_2 {
        return None;
    }
    // A missing one may have any key type.
    let keys: Vec<KeyKind> = certificates
        .iter()
        .map(|own| Some(own.as_ref()?.key))
        .collect::<Option<_>>()?;
    let suites = cipher::chosen(&asked.cipher_suites).ok()?;
    let is_usable = |suite: &&cipher::Suite| suite.key.is_some_and(|key| keys.contains(&key));
    if suites.iter().any(is_usable) {
        return None;
    }
    let effect = if asked.max_version > TlsVersion::V1_2 {
        "clients without TLS 1.3 cannot connect"
    } else {
        "no handshake succeeds"
    };
    let key = if keys.contains(&KeyKind::Rsa) {
        "RSA"
    } else {
        "ECDSA"
    };
    let message = format!("none of them works with the {key} keys of its certificates: {effect}");
    let code = Code::UnusableSuites;
    let field = "tls.cipherSuites";
    Some(of_server(server, Severity::Warning, code, field, message))
}

/// Of several certificates with the same key type and names, only the first is used.
fn doubled(server: &DeclaredServer, asked: &Tls, certificates: &[Option<ServedCertificate>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, own) in certificates.iter().enumerate() {
        let before = certificates.get(..at).unwrap_or_default();
        let is_same = |other: &Option<ServedCertificate>| {
            let both = other.as_ref().zip(own.as_ref());
            both.is_some_and(|(other, own)| (other.key, &other.names) == (own.key, &own.names))
        };
        let first = before.iter().position(is_same);
        let names = first
            .and_then(|first| asked.certificates.get(first))
            .zip(asked.certificates.get(at));
        if let Some((first, name)) = names {
            let message = format!("{name} is never used: {first} has the same names and key type");
            let field = server.named.field(Some(at));
            let code = Code::DoubledCertificate;
            findings.push(of_server(server, Severity::Warning, code, &field, message));
        }
    }
    findings
}
