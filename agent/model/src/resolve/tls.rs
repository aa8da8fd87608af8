//! How a server terminates TLS, and with which credentials.

use std::sync::Arc;

use sealgate_core::config::ServerTls;

use crate::few::Few;
use crate::resolved::{ClientCertificate, Tls, TlsVersion};
use crate::{BUNDLE_SUFFIX, CredentialName, secret_name};

/// The TLS settings of a server; none if it names no certificate. Secrets are looked up in `namespace`.
pub(super) fn tls(server: &ServerTls, namespace: &str) -> Option<Tls> {
    let own = |name: &String| CredentialName::new(namespace, secret_name(name));
    let mut certificates: Vec<_> = server.credential_names.iter().map(own).collect();
    if certificates.is_empty() {
        certificates.extend(server.credential_name.as_ref().map(own));
    }
    let mode = server.mode.as_deref().unwrap_or("SIMPLE");
    let client = if matches!(mode, "MUTUAL" | "OPTIONAL_MUTUAL") {
        let trust = match &server.ca_cert_credential_name {
            Some(name) if name.ends_with(BUNDLE_SUFFIX) => own(name),
            Some(name) => own(name).bundle(),
            None => certificates.first()?.bundle(),
        };
        ClientCertificate::Checked {
            required: mode == "MUTUAL",
            trust,
            subject_alt_names: server.subject_alt_names.clone(),
            spki: server.verify_certificate_spki.clone(),
            hash: server.verify_certificate_hash.clone(),
        }
    } else {
        ClientCertificate::None
    };
    Some(Tls {
        certificates,
        client,
        min_version: version(server.min_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_2),
        max_version: version(server.max_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_3),
        cipher_suites: server.cipher_suites.clone(),
    })
}

/// The fields of `tls` in which a server names credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamedIn {
    /// Key pairs in a list.
    list: bool,
    /// The trust bundle in a field of its own.
    bundle: bool,
}

impl NamedIn {
    pub(super) fn of(server: &ServerTls) -> Self {
        Self {
            list: !server.credential_names.is_empty(),
            bundle: server.ca_cert_credential_name.is_some(),
        }
    }

    /// The field that names a credential: a key pair by its place among them, or the trust bundle.
    #[must_use]
    pub fn field(self, pair: Option<usize>) -> String {
        match pair {
            Some(at) if self.list => format!("tls.credentialNames[{at}]"),
            None if self.bundle => "tls.caCertCredentialName".to_owned(),
            None if self.list => "tls.credentialNames[0]".to_owned(),
            _ => "tls.credentialName".to_owned(),
        }
    }
}

fn version(text: Option<&str>) -> Option<TlsVersion> {
    match text? {
        "TLSV1_0" => Some(TlsVersion::V1_0),
        "TLSV1_1" => Some(TlsVersion::V1_1),
        "TLSV1_2" => Some(TlsVersion::V1_2),
        "TLSV1_3" => Some(TlsVersion::V1_3),
        _ => None,
    }
}

/// The TLS settings that a server is served with, and what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    /// The settings that it asks for, or those that its hosts had until now.
    pub(super) tls: Arc<Tls>,
    /// Every credential that it asks for, and those that are served instead.
    pub(super) names: Few<CredentialName>,
    /// Credentials that it asks for but that do not exist.
    pub(super) missing: Vec<CredentialName>,
    /// Whether the hosts' previous settings are served instead.
    pub(super) held: bool,
}

/// A server whose credential is missing keeps the one that its hosts had. Without a previous one, the server is served
/// anyway: nothing else takes its hosts, a proxy that still has the credential keeps serving, and other proxies get the
/// credential later without a listener change.
pub(super) fn served(
    asked: &Arc<Tls>,
    before: Option<&Arc<Tls>>,
    is_served: &dyn Fn(&CredentialName) -> bool,
) -> Served {
    let missing: Vec<_> = asked.credentials().filter(|name| !is_served(name)).collect();
    let is_whole = |held: &&Arc<Tls>| held.credentials().all(|name| is_served(&name));
    let held = before.filter(is_whole).filter(|_| !missing.is_empty());
    let instead = held.into_iter().flat_map(|held| held.credentials());
    Served {
        names: asked.credentials().chain(instead).collect(),
        held: held.is_some(),
        tls: Arc::clone(held.unwrap_or(asked)),
        missing,
    }
}
