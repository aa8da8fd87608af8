//! Gateways and VirtualServices as ports, chains and tables: selectors, hosts, namespaces, ports and gateways of
//! match blocks are resolved here, so that neither Envoy nor the filter has to.

mod chains;
mod delegate;
mod hosts;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_core::config::{GatewaySpec, Server, VirtualServiceSpec};
use sealgate_model::resolved::{Chain, Meaning, Port, Upstream};
use sealgate_model::{Code, CredentialName, Finding, Kind, Meta, Object, ObjectRef, Severity};

pub(super) use self::hosts::is_exported;

use self::hosts::HostRules;
use super::destination::Destinations;
use super::identity;
use crate::config::Gateway as Settings;
use crate::state::State;

/// What is served, and what is to be said about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bound {
    /// The ports.
    pub ports: Vec<Arc<Port>>,
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
        destinations: Destinations::new(state, &settings.namespace),
        findings: Vec::new(),
    };
    let numbers: BTreeSet<u16> = binder
        .gateways
        .iter()
        .flat_map(|(_, spec)| &spec.servers)
        .filter_map(|server| u16::try_from(server.port.number).ok())
        .collect();
    let ports: Vec<_> = numbers
        .into_iter()
        .filter_map(|number| binder.port(number))
        .map(|port| shared(port, before))
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

/// What is as it was is the same value: a snapshot holds the one that it was made from.
fn shared(port: Port, before: &Bound) -> Arc<Port> {
    let known = before.ports.iter().find(|known| ***known == port);
    known.map_or_else(|| Arc::new(port), Arc::clone)
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

fn service_ref(meta: &Meta) -> ObjectRef {
    ObjectRef::new(Kind::VirtualService, &meta.namespace, &meta.name)
}

fn describe(server: &Server) -> String {
    format!(
        "{} {} {}",
        server.port.number,
        server.port.protocol,
        server.hosts.join(" ")
    )
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
                        Code::PortCollision,
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
        // It is kept for as long as it is served.
        chains.shrink_to_fit();
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

    fn say(&mut self, gateway: &Meta, code: Code, field: String, message: impl Into<String>) {
        self.report(code, (gateway_ref(gateway), field), message.into());
    }

    fn report(&mut self, code: Code, (object, field): (ObjectRef, String), message: String) {
        self.findings.push(Finding {
            severity: Severity::Error,
            code,
            object,
            field: Some(field),
            message,
        });
    }
}
