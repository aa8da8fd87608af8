//! Gateways and VirtualServices as ports, chains and tables: selectors, hosts, namespaces, ports and gateways of
//! match blocks are resolved here, so that neither Envoy nor the filter has to.

use std::collections::{BTreeMap, BTreeSet};

use sealgate_core::config::{Destination, GatewaySpec, HttpMatch, Server, VirtualServiceSpec};
use sealgate_core::table::{Origin, RuleConfig, StringMatcher, TableConfig, VirtualHostConfig};
use sealgate_core::{convert, host};

use super::destination::Destinations;
use super::identity;
use super::model::{Chain, ClientCertificate, Meaning, Port, Tls, TlsVersion, Upstream};
use crate::config::Gateway as Settings;
use crate::credential::{BUNDLE_SUFFIX, CredentialName};
use crate::object::{Finding, Kind, Meta, Object, ObjectRef, Severity};
use crate::state::State;
use crate::validate::split_host;

/// What is served, and what is to be said about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bound {
    /// The ports.
    pub ports: Vec<Port>,
    /// The destinations that routes name.
    pub upstreams: Vec<Upstream>,
    /// The Gateways and their servers, for people.
    pub gateways: Vec<(ObjectRef, Vec<String>)>,
    /// The credentials that Gateways name, and those that are served in their place.
    pub wanted: BTreeSet<CredentialName>,
    /// What is missing or doubtful.
    pub findings: Vec<Finding>,
}

type GatewayRef<'a> = (&'a Meta, &'a GatewaySpec);
type ServiceRef<'a> = (&'a Meta, &'a VirtualServiceSpec);

/// Resolves everything. `before` is what was served until now.
#[must_use]
pub fn bind(state: &State, settings: &Settings, before: &Bound) -> Bound {
    let mut binder = Binder {
        state,
        settings,
        before,
        wanted: BTreeSet::new(),
        gateways: of_age(state.objects().filter_map(|object| match object {
            Object::Gateway(meta, spec) if is_selected(spec, settings) => Some((meta, &**spec)),
            _ => None,
        })),
        services: of_age(state.objects().filter_map(|object| match object {
            Object::VirtualService(meta, spec) => Some((meta, &**spec)),
            _ => None,
        })),
        destinations: Destinations::new(state),
        findings: Vec::new(),
    };
    let numbers: BTreeSet<u16> = binder
        .gateways
        .iter()
        .flat_map(|(_, spec)| &spec.servers)
        .filter_map(|server| u16::try_from(server.port.number).ok())
        .collect();
    let ports: Vec<Port> = numbers
        .into_iter()
        .filter_map(|number| binder.port(number))
        .collect();
    let gateways = binder
        .gateways
        .iter()
        .map(|(meta, spec)| (gateway_ref(meta), spec.servers.iter().map(describe).collect()));
    let gateways = gateways.collect();
    let (upstreams, said) = binder.destinations.finish();
    let mut findings = binder.findings;
    findings.extend(said);
    findings.sort();
    findings.dedup();
    Bound {
        ports,
        upstreams,
        gateways,
        wanted: binder.wanted,
        findings,
    }
}

struct Binder<'a> {
    state: &'a State,
    settings: &'a Settings,
    before: &'a Bound,
    wanted: BTreeSet<CredentialName>,
    gateways: Vec<GatewayRef<'a>>,
    services: Vec<ServiceRef<'a>>,
    destinations: Destinations<'a>,
    findings: Vec<Finding>,
}

/// By creation, then name, then namespace.
fn of_age<'a, T>(objects: impl Iterator<Item = (&'a Meta, &'a T)>) -> Vec<(&'a Meta, &'a T)> {
    let mut sorted: Vec<_> = objects.collect();
    sorted.sort_by_key(|(meta, _)| (meta.created, meta.name.clone(), meta.namespace.clone()));
    sorted
}

fn is_selected(spec: &GatewaySpec, settings: &Settings) -> bool {
    spec.selector
        .iter()
        .all(|(key, value)| settings.labels.get(key) == Some(value))
}

fn gateway_ref(meta: &Meta) -> ObjectRef {
    ObjectRef::new(Kind::Gateway, &meta.namespace, &meta.name)
}

fn describe(server: &Server) -> String {
    format!(
        "{} {} {}",
        server.port.number,
        server.port.protocol,
        server.hosts.join(" ")
    )
}

/// Hosts of one port on their way to the table.
#[derive(Default)]
struct HostRules<'a> {
    https_redirect: bool,
    services: Vec<(ServiceRef<'a>, GatewayRef<'a>)>,
}

impl<'a> Binder<'a> {
    fn port(&mut self, number: u16) -> Option<Port> {
        let mut chains: Vec<Chain> = Vec::new();
        let mut plain: Option<Meaning> = None;
        let mut hosts: BTreeMap<String, HostRules<'a>> = BTreeMap::new();
        let mut kind = None;
        for gateway @ (meta, spec) in self.gateways.clone() {
            for (at, server) in spec
                .servers
                .iter()
                .enumerate()
                .filter(|(_, server)| server.port.number == u32::from(number))
            {
                let secure = server.port.protocol == "HTTPS";
                if *kind.get_or_insert(secure) != secure {
                    self.say(
                        meta,
                        "port-collision",
                        format!("spec.servers[{at}].port"),
                        "another server of this port differs in TLS; it stays",
                    );
                    continue;
                }
                if secure {
                    let Some(chain) = self.chain(meta, at, server, &chains, number) else {
                        continue;
                    };
                    chains.push(chain);
                } else {
                    plain.get_or_insert_default().also(identity::meaning(meta, None));
                }
                self.collect_hosts(gateway, server, &mut hosts);
            }
        }
        if let Some(meaning) = plain {
            chains.push(Chain {
                name: "plain".to_owned(),
                server_names: Vec::new(),
                tls: None,
                streaming: false,
                meaning,
            });
        }
        if chains.is_empty() {
            return None;
        }
        let mut table = self.table(number, hosts);
        table.policies = identity::policies(&chains);
        let bind = self.settings.port_map.get(&number).copied().unwrap_or(number);
        Some(Port {
            number,
            bind,
            chains,
            table,
            prefixes: identity::prefixes(&self.gateways),
        })
    }

    fn say(&mut self, meta: &Meta, code: &'static str, field: String, message: impl Into<String>) {
        let (object, message) = (gateway_ref(meta), message.into());
        self.findings.push(Finding {
            severity: Severity::Error,
            code,
            object,
            field: Some(field),
            message,
        });
    }

    /// A chain whose credential is not there keeps the one that its hosts had. Without a former one it is there all the same:
    /// nothing else takes its hosts, a proxy that still holds the credential serves on, and a proxy that does not gets
    /// it without a change of the listener.
    fn chain(
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
                "host-collision",
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
            binder.say(meta, "credential-not-ready", field, message);
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

    fn collect_hosts(
        &self,
        gateway: GatewayRef<'a>,
        server: &Server,
        hosts: &mut BTreeMap<String, HostRules<'a>>,
    ) {
        let redirect =
            server.tls.as_ref().is_some_and(|tls| tls.https_redirect) && server.port.protocol != "HTTPS";
        for text in &server.hosts {
            let (namespace, pattern) = split_host(text);
            let namespace = namespace.map(|namespace| {
                if namespace == "." {
                    gateway.0.namespace.as_str()
                } else {
                    namespace
                }
            });
            if redirect {
                hosts.entry(pattern.clone()).or_default().https_redirect = true;
            }
            for service in self
                .services
                .iter()
                .filter(|service| self.is_bound(service, gateway))
            {
                if namespace.is_some_and(|namespace| namespace != service.0.namespace) {
                    continue;
                }
                let names: Vec<String> = service
                    .1
                    .hosts
                    .iter()
                    .map(|name| name.to_ascii_lowercase())
                    .collect();
                for shared in names.iter().filter_map(|name| host::intersection(&pattern, name)) {
                    let rules = hosts.entry(shared.to_owned()).or_default();
                    rules.https_redirect |= redirect;
                    if !rules.services.iter().any(|(known, _)| known.0 == service.0) {
                        rules.services.push((*service, gateway));
                    }
                }
            }
        }
    }

    fn is_bound(&self, (meta, spec): &ServiceRef<'_>, (gateway, _): GatewayRef<'_>) -> bool {
        let exported = spec.export_to.is_empty()
            || spec.export_to.iter().any(|to| match to.as_str() {
                "*" => true,
                "." => meta.namespace == gateway.namespace,
                namespace => namespace == gateway.namespace,
            });
        exported
            && spec
                .gateways
                .iter()
                .any(|name| names_gateway(name, &meta.namespace, gateway))
    }

    fn table(&mut self, number: u16, hosts: BTreeMap<String, HostRules<'a>>) -> TableConfig {
        // Hosts with the same VirtualServices share their rules.
        let mut groups: Vec<(Vec<String>, HostRules<'a>)> = Vec::new();
        for (name, mut rules) in hosts {
            rules
                .services
                .sort_by_key(|((meta, _), _)| (meta.created, &meta.name, &meta.namespace));
            let same = |other: &&mut (Vec<String>, HostRules<'a>)| {
                other.1.https_redirect == rules.https_redirect
                    && other.1.services.len() == rules.services.len()
                    && other
                        .1
                        .services
                        .iter()
                        .zip(&rules.services)
                        .all(|(a, b)| a.0.0 == b.0.0 && a.1.0 == b.1.0)
            };
            match groups.iter_mut().find(same) {
                Some((names, _)) => names.push(name),
                None => groups.push((vec![name], rules)),
            }
        }
        let virtual_hosts = groups.into_iter().map(|(domains, rules)| VirtualHostConfig {
            domains,
            https_redirect: rules.https_redirect,
            rules: self.rules(number, &rules),
        });
        TableConfig {
            port: number,
            virtual_hosts: virtual_hosts.collect(),
            ..TableConfig::default()
        }
    }

    /// The rules of several VirtualServices in order, catch-alls last.
    fn rules(&mut self, number: u16, hosts: &HostRules<'a>) -> Vec<RuleConfig> {
        let mut rules = Vec::new();
        for ((meta, spec), (gateway, _)) in &hosts.services {
            for (at, route) in spec.http.iter().enumerate() {
                let kept: Vec<usize> = route
                    .r#match
                    .iter()
                    .enumerate()
                    .filter(|(_, block)| applies(block, meta, gateway, number))
                    .map(|(at, _)| at)
                    .collect();
                if kept.is_empty() && !route.r#match.is_empty() {
                    continue;
                }
                let origin = Origin {
                    virtual_service: format!("{}/{}", meta.namespace, meta.name),
                    rule: at,
                    name: route.name.clone(),
                };
                let place = ObjectRef::new(Kind::VirtualService, &meta.namespace, &meta.name);
                let destinations = &mut self.destinations;
                let mut cluster =
                    |to: &Destination| destinations.cluster(to, &place, &meta.namespace, number);
                // What was refused never became part of the state.
                if let Ok((rule, _)) = convert::rule(origin, route, &kept, &mut cluster) {
                    rules.push(rule);
                }
            }
        }
        if hosts.services.len() > 1 {
            rules.sort_by_key(is_catch_all);
        }
        rules
    }
}

fn is_catch_all(rule: &RuleConfig) -> bool {
    rule.matches.is_empty()
        || rule.matches.iter().any(|block| {
            let everything = match &block.uri {
                None => true,
                Some(StringMatcher::Prefix(prefix)) => prefix == "/",
                Some(StringMatcher::Regex(pattern)) => pattern == ".*",
                Some(_) => false,
            };
            everything
                && block.headers.is_empty()
                && block.without_headers.is_empty()
                && block.query_params.is_empty()
        })
}

/// `name` is the Gateway of its own namespace, `ns/name` another's.
fn names_gateway(name: &str, namespace: &str, gateway: &Meta) -> bool {
    match name.split_once('/') {
        Some((namespace, name)) => namespace == gateway.namespace && name == gateway.name,
        None => name == gateway.name && namespace == gateway.namespace,
    }
}

fn applies(block: &HttpMatch, service: &Meta, gateway: &Meta, number: u16) -> bool {
    if block.port.is_some_and(|port| port != u32::from(number)) {
        return false;
    }
    if block.gateways.is_empty() {
        let foreign = block
            .source_namespace
            .as_ref()
            .is_some_and(|namespace| *namespace != gateway.namespace);
        return block.source_labels.is_empty() && !foreign;
    }
    block
        .gateways
        .iter()
        .any(|name| names_gateway(name, &service.namespace, gateway))
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
