//! TLS towards an upstream, as a DestinationRule asks for it. If it is impossible, nothing is sent: plain text could be
//! read by anyone, or reach a port that does not understand it.

use sealgate_core::config::{ClientTls, DestinationRuleSpec, TrafficPolicy};

use crate::manifest::is_name;
use crate::resolved::{UpstreamTls, UpstreamTrust};
use crate::validate::SUBJECT_ALT_NAMES;
use crate::{BUNDLE_SUFFIX, Code, CredentialName, Finding, ObjectRef, Severity, annotation, secret_name};

/// Why the required TLS is impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsRefusal {
    /// Within `tls`.
    pub(super) field: &'static str,
    pub(super) message: String,
}

impl TlsRefusal {
    fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self {
            field,
            message: message.into(),
        }
    }
}

impl TlsRefusal {
    /// A credential that is missing or invalid.
    pub(super) fn missing(name: &CredentialName) -> Self {
        Self::new(
            "credentialName",
            format!("TLS to it needs the Secret {name}, which does not exist or has no valid certificate"),
        )
    }

    /// A Secret that a DestinationRule of this namespace may not name.
    pub(super) fn not_granted(name: &CredentialName, namespace: &str) -> Self {
        let message = format!(
            "TLS to it needs the Secret {name}, which does not allow objects of {namespace} to use it: annotate it with \
             {}: {namespace}, list it in --tenancy-policy, or trust all namespaces with --tenancy single",
            annotation::ALLOWED_NAMESPACES
        );
        Self::new("credentialName", message)
    }
}

/// The required TLS; none for plain text. Secrets are looked up in the namespace `secrets`; `names` are those that a
/// ServiceEntry expects in the certificate.
pub(super) fn lower(
    own: &ClientTls,
    secrets: &str,
    names: &[String],
) -> Result<Option<UpstreamTls>, TlsRefusal> {
    if !own.is_on() {
        return Ok(None);
    }
    if let Some(refusal) = refusals(own).into_iter().next() {
        return Err(refusal);
    }
    let name = credential(own).map(|name| CredentialName::new(secrets, secret_name(name)));
    let trust = match (own.insecure_skip_verify, &name) {
        (Some(true), _) => UpstreamTrust::Anybody,
        (_, Some(name)) if name.is_bundle() => UpstreamTrust::Bundle(name.clone()),
        (_, Some(name)) => UpstreamTrust::Bundle(name.bundle()),
        (_, None) => UpstreamTrust::Public,
    };
    let names = match own.subject_alt_names.as_slice() {
        [] => names,
        own => own,
    };
    Ok(Some(UpstreamTls {
        certificate: name.filter(|_| is_mutual(own)),
        trust,
        sni: own.sni.clone().filter(|sni| !sni.is_empty()),
        subject_alt_names: names.to_vec(),
    }))
}

fn is_mutual(own: &ClientTls) -> bool {
    own.mode.as_deref() == Some("MUTUAL")
}

fn credential(own: &ClientTls) -> Option<&str> {
    own.credential_name.as_deref().filter(|name| !name.is_empty())
}

/// Why it is impossible, whatever Secrets exist.
fn refusals(own: &ClientTls) -> Vec<TlsRefusal> {
    let mut refusals = Vec::new();
    match own.mode.as_deref().unwrap_or_default() {
        "" | "DISABLE" | "SIMPLE" | "MUTUAL" => {}
        "ISTIO_MUTUAL" => {
            let message = "ISTIO_MUTUAL needs the certificates of a mesh, which a gateway without one does not have: \
                           use MUTUAL with credentialName";
            refusals.push(TlsRefusal::new("mode", message));
        }
        other => {
            let message = format!("{other:?}: DISABLE, SIMPLE or MUTUAL");
            refusals.push(TlsRefusal::new("mode", message));
        }
    }
    refusals.extend(files(own));
    refusals.extend(names(own));
    refusals.extend(secret(own));
    if refusals.is_empty() && is_mutual(own) && credential(own).is_none() {
        let message = "MUTUAL needs `credentialName`: the Secret with the gateway's client certificate";
        refusals.push(TlsRefusal::new("credentialName", message));
    }
    refusals
}

/// Envoy's limit for a server name.
const LONGEST_NAME: usize = 255;

/// Names that no handshake can ask for, and no certificate has. Envoy would keep the previous cluster, even one without
/// TLS.
fn names(own: &ClientTls) -> impl Iterator<Item = TlsRefusal> {
    let is_name = |name: &str| {
        (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let sni = own.sni.as_deref().filter(|sni| !sni.is_empty() && !is_name(sni));
    let sni = sni.map(|sni| TlsRefusal::new("sni", format!("{sni:?} is no server name")));
    let others = own.subject_alt_names.iter().find(|name| !is_name(name));
    let others = others.map(|name| {
        let message = format!("{name:?} is no name that a certificate can have");
        TlsRefusal::new("subjectAltNames", message)
    });
    let count = own.subject_alt_names.len();
    let many = (count > SUBJECT_ALT_NAMES).then(|| {
        let message = format!("{count} entries; the limit is {SUBJECT_ALT_NAMES}");
        TlsRefusal::new("subjectAltNames", message)
    });
    sni.into_iter().chain(others).chain(many)
}

/// The names of Secrets become selectors, paths and the names of resources.
fn secret(own: &ClientTls) -> Option<TlsRefusal> {
    let name = secret_name(credential(own)?);
    let message = if !is_name(name) {
        format!("{name:?} cannot be a Secret's name: lower-case letters, digits, `-` and `.`")
    } else if is_mutual(own) && name.ends_with(BUNDLE_SUFFIX) {
        format!("{name:?}: a name that ends in {BUNDLE_SUFFIX} is a trust bundle's, and no key pair's")
    } else {
        return None;
    };
    Some(TlsRefusal::new("credentialName", message))
}

/// The agent does not see the proxy's files.
fn files(own: &ClientTls) -> impl Iterator<Item = TlsRefusal> {
    let files = [
        ("clientCertificate", &own.client_certificate),
        ("privateKey", &own.private_key),
        ("caCertificates", &own.ca_certificates),
        ("caCrl", &own.ca_crl),
    ];
    let named = files
        .into_iter()
        .filter(|(_, file)| file.as_deref().is_some_and(|name| !name.is_empty()));
    named.map(|(field, _)| TlsRefusal::new(field, "files of the proxy are not read: use credentialName"))
}

/// The findings about a DestinationRule that asks for TLS which is impossible whatever Secrets exist.
pub(super) fn findings(rule: &ObjectRef, spec: &DestinationRuleSpec) -> Vec<Finding> {
    let subsets = spec.subsets.iter().enumerate();
    let subsets = subsets.filter_map(|(at, subset)| {
        let policy = subset.traffic_policy.as_deref()?;
        Some((format!("spec.subsets[{at}].trafficPolicy"), policy))
    });
    let service = spec.traffic_policy.as_deref();
    let service = service.map(|policy| ("spec.trafficPolicy".to_owned(), policy));
    let policies = service.into_iter().chain(subsets);
    policies
        .flat_map(|(place, policy)| places(&place, policy))
        .filter(|(_, tls)| tls.is_on())
        .flat_map(|(place, tls)| {
            refusals(tls)
                .into_iter()
                .map(move |refusal| (place.clone(), refusal))
        })
        .map(|(place, TlsRefusal { field, message })| Finding {
            severity: Severity::Error,
            code: Code::UpstreamTls,
            object: rule.clone(),
            field: Some(format!("{place}.{field}")),
            message: format!("{message}; requests get 503 and are not sent in plain text"),
        })
        .collect()
}

fn places<'p>(place: &str, policy: &'p TrafficPolicy) -> Vec<(String, &'p ClientTls)> {
    let own = policy.tls.as_ref().map(|tls| (format!("{place}.tls"), tls));
    let ports = policy.port_level_settings.iter().enumerate();
    let ports = ports
        .filter_map(|(at, port)| Some((format!("{place}.portLevelSettings[{at}].tls"), port.tls.as_ref()?)));
    own.into_iter().chain(ports).collect()
}

#[cfg(test)]
mod tests;
