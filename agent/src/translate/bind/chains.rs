//! Servers with TLS as filter chains, and the credentials that they are served with.

use sealgate_core::config::Server;
use sealgate_model::resolved::{Chain, ClientCertificate, Tls, TlsVersion};
use sealgate_model::validate::split_host;
use sealgate_model::{BUNDLE_SUFFIX, Code, CredentialName, Meta};

use super::Binder;
use crate::translate::identity;

impl Binder<'_> {
    /// A chain whose credential is not there keeps the one that its hosts had. Without a former one it is there all the same:
    /// nothing else takes its hosts, a proxy that still holds the credential serves on, and a proxy that does not gets
    /// it without a change of the listener.
    pub(super) fn chain(
        &mut self,
        meta: &Meta,
        at: usize,
        server: &Server,
        taken: &[Chain],
        number: u16,
    ) -> Option<Chain> {
        let mut names: Vec<String> = server.hosts.iter().map(|name| split_host(name).1).collect();
        names.sort();
        names.dedup();
        let clash = names.iter().find(|name| {
            taken.iter().any(|chain| {
                chain.server_names.contains(name) || (*name == "*" && chain.server_names.is_empty())
            })
        });
        if let Some(clash) = clash {
            let message = format!("{clash} is another server's on this port, which stays");
            self.say(
                meta,
                Code::HostCollision,
                format!("spec.servers[{at}].hosts"),
                message,
            );
            return None;
        }
        // `*` takes whatever no other chain names, and so has no need of the rest.
        if names.iter().any(|name| name == "*") {
            names.clear();
        }
        let name = format!("{}/{}/{at}", meta.namespace, meta.name);
        let tls = self.tls(server)?;
        self.wanted.extend(tls.credentials());
        let tls = self.or_held(number, &names, tls, |binder, missing, effect| {
            let field = format!("spec.servers[{at}].tls.credentialName");
            let message = format!("there is no good Secret {missing} yet: {effect}");
            binder.say(meta, Code::CredentialNotReady, field, message);
        });
        Some(Chain {
            name,
            server_names: names,
            meaning: identity::meaning(meta, Some(&tls)),
            tls: Some(tls),
            streaming: server.port.protocol == "GRPC",
        })
    }

    /// What these hosts were served with until now, if something of what is asked for is not there.
    fn or_held(
        &mut self,
        number: u16,
        names: &[String],
        tls: Tls,
        mut say: impl FnMut(&mut Self, &CredentialName, &str),
    ) -> Tls {
        let is_missing = |credential: &CredentialName| !self.state.is_served(credential);
        let missing: Vec<_> = tls.credentials().filter(is_missing).collect();
        if missing.is_empty() {
            return tls;
        }
        let ports = self.before.ports.iter().filter(|port| port.number == number);
        let before = ports
            .flat_map(|port| &port.chains)
            .find(|chain| chain.server_names == names);
        let is_whole = |held: &Tls| !held.credentials().any(|credential| is_missing(&credential));
        let held = before.and_then(|chain| chain.tls.clone()).filter(is_whole);
        let effect = match held {
            Some(_) => "the former one is served on",
            None => "a proxy that has none refuses connections",
        };
        missing.iter().for_each(|missing| say(self, missing, effect));
        self.wanted.extend(held.iter().flat_map(Tls::credentials));
        held.unwrap_or(tls)
    }

    fn tls(&self, server: &Server) -> Option<Tls> {
        let tls = server.tls.as_ref()?;
        let own = |name: &String| CredentialName::new(&self.settings.namespace, name);
        let mut certificates: Vec<_> = tls.credential_names.iter().map(own).collect();
        if certificates.is_empty() {
            certificates.extend(tls.credential_name.as_ref().map(own));
        }
        let mode = tls.mode.as_deref().unwrap_or("SIMPLE");
        let client = if matches!(mode, "MUTUAL" | "OPTIONAL_MUTUAL") {
            let trust = match &tls.ca_cert_credential_name {
                Some(name) if name.ends_with(BUNDLE_SUFFIX) => own(name),
                Some(name) => own(name).bundle(),
                None => certificates.first()?.bundle(),
            };
            ClientCertificate::Checked {
                required: mode == "MUTUAL",
                trust,
                subject_alt_names: tls.subject_alt_names.clone(),
                spki: tls.verify_certificate_spki.clone(),
                hash: tls.verify_certificate_hash.clone(),
            }
        } else {
            ClientCertificate::None
        };
        Some(Tls {
            certificates,
            client,
            min_version: version(tls.min_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_2),
            max_version: version(tls.max_protocol_version.as_deref()).unwrap_or(TlsVersion::V1_3),
            cipher_suites: tls.cipher_suites.clone(),
        })
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
