//! Findings about what a VirtualService expects from its Gateways, but they do not provide.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::gateway::DeclaredGateway;
use super::gateways::{GatewayKey, Gateways};
use super::match_scope::MatchScope;
use super::service::{Service, is_exported};
use crate::Code;
use crate::gateway_ref::{self, MESH};
use crate::protocol::ServerProtocol;
use crate::{Finding, Severity};
use crate::{Kind, ObjectRef};

/// The Gateways that this gateway serves, and whether others are known: those of another gateway, or refused.
pub(super) struct KnownGateways<'a> {
    pub(super) served: &'a Gateways,
    pub(super) is_known: &'a dyn Fn(&ObjectRef) -> bool,
}

fn resolve(name: &str, service: &Service) -> GatewayKey {
    let (namespace, name) = gateway_ref::resolve(name, &service.meta.namespace);
    (name.into(), namespace.into())
}

fn gateway_ref((name, namespace): &GatewayKey) -> ObjectRef {
    ObjectRef::new(Kind::Gateway, &**namespace, &**name)
}

/// All findings about it.
pub(super) fn findings(service: &Service, gateways: &KnownGateways<'_>) -> Vec<Finding> {
    let mut check = Check {
        service,
        findings: Vec::new(),
    };
    check.all(gateways);
    check.findings
}

struct Check<'s> {
    service: &'s Service,
    findings: Vec<Finding>,
}

impl<'s> Check<'s> {
    fn all(&mut self, gateways: &KnownGateways<'s>) {
        // Without hosts, it is only a delegate.
        if self.service.hosts.is_empty() {
            return;
        }
        if self.service.spec.gateways.is_empty() {
            let message =
                "there are none: the VirtualService applies only to the mesh, and no gateway serves it";
            return self.say(
                Severity::Info,
                Code::NoGateways,
                "spec.gateways",
                message.to_owned(),
            );
        }
        let (mut bound, mut elsewhere) = (Vec::new(), false);
        for (at, name) in self.service.spec.gateways.iter().enumerate() {
            let key = resolve(name, self.service);
            match gateways.served.get(&key) {
                _ if name == MESH => {}
                Some(served) => bound.push(&**served),
                // It is another gateway's, or refused, which has its own finding.
                None if (gateways.is_known)(&gateway_ref(&key)) => elsewhere = true,
                None => self.unknown(at, &key, gateways),
            }
        }
        self.exported(&mut bound);
        // What other gateways serve is not known here.
        if !bound.is_empty() && !elsewhere {
            self.hosts(&bound);
            self.server_names(&bound);
            self.lists(&bound);
            self.blocks(&bound);
        }
    }

    fn say(&mut self, severity: Severity, code: Code, field: impl Into<String>, message: String) {
        self.findings.push(Finding {
            severity,
            code,
            object: self.service.object_ref(),
            field: Some(field.into()),
            message,
        });
    }

    fn unknown(&mut self, at: usize, key: &GatewayKey, gateways: &KnownGateways<'_>) {
        let namesake = gateways.served.namesake(&key.0);
        let hint = namesake.map(|namespace| format!("; there is {namespace}/{}", key.0));
        let message = format!("there is no {}{}", gateway_ref(key), hint.unwrap_or_default());
        let field = format!("spec.gateways[{at}]");
        self.say(Severity::Warning, Code::UnknownGateway, field, message);
    }

    /// Removes the Gateways that do not see the VirtualService.
    fn exported(&mut self, bound: &mut Vec<&DeclaredGateway>) {
        let sees = |gateway: &&DeclaredGateway| {
            let (meta, spec) = (&self.service.meta, &self.service.spec);
            is_exported(&spec.export_to, &meta.namespace, &gateway.rank.namespace)
        };
        let blind = bound
            .iter()
            .find(|gateway| !sees(gateway))
            .map(|gateway| gateway.rank.gateway());
        bound.retain(|gateway| sees(gateway));
        if let Some(blind) = blind {
            let message = format!("it is not exported to {blind}, which does not serve it");
            self.say(Severity::Warning, Code::NotExported, "spec.exportTo", message);
        }
    }

    fn hosts(&mut self, bound: &[&DeclaredGateway]) {
        for (at, host) in self.service.spec.hosts.iter().enumerate() {
            let name = host.to_ascii_lowercase();
            let namespace = &self.service.meta.namespace;
            if !bound
                .iter()
                .any(|gateway| gateway.takes(&name, namespace, |_| true))
            {
                let message = format!("no server of its Gateways serves {host}");
                let field = format!("spec.hosts[{at}]");
                self.say(Severity::Warning, Code::UnservedHost, field, message);
            }
        }
    }

    fn blocks(&mut self, bound: &[&DeclaredGateway]) {
        let ports: BTreeSet<u32> = bound
            .iter()
            .flat_map(|gateway| gateway.ports())
            .copied()
            .collect();
        let spec = Arc::clone(&self.service.spec);
        for (rule, route) in spec.http.iter().enumerate() {
            self.blocks_of(&format!("spec.http[{rule}]"), &route.r#match, bound, &ports);
        }
        for (rule, route) in spec.tls.iter().enumerate() {
            self.blocks_of(&format!("spec.tls[{rule}]"), &route.r#match, bound, &ports);
        }
        for (rule, route) in spec.tcp.iter().enumerate() {
            self.blocks_of(&format!("spec.tcp[{rule}]"), &route.r#match, bound, &ports);
        }
    }

    fn blocks_of<'b, B>(
        &mut self,
        rule: &str,
        blocks: &'b [B],
        bound: &[&DeclaredGateway],
        ports: &BTreeSet<u32>,
    ) where
        MatchScope<'b>: From<&'b B>,
    {
        for (at, block) in blocks.iter().enumerate() {
            if let Some((severity, field, message)) = self.dropped(block.into(), bound, ports) {
                let field = format!("{rule}.match[{at}].{field}");
                self.say(severity, Code::DroppedMatch, field, message.to_owned());
            }
        }
    }

    /// Server names of rules for TLS that no server passes through.
    fn server_names(&mut self, bound: &[&DeclaredGateway]) {
        let spec = Arc::clone(&self.service.spec);
        for (rule, route) in spec.tls.iter().enumerate() {
            for (at, block) in route.r#match.iter().enumerate() {
                for (place, name) in block.sni_hosts.iter().enumerate() {
                    let is_taken = self.is_taken(bound, &name.to_ascii_lowercase(), |own| {
                        own == ServerProtocol::Passthrough
                    });
                    if !is_taken {
                        let message = format!("no server of its Gateways passes TLS for {name} through");
                        let field = format!("spec.tls[{rule}].match[{at}].sniHosts[{place}]");
                        self.say(Severity::Warning, Code::UnservedHost, field, message);
                    }
                }
            }
        }
    }

    /// Lists of rules that no server of the hosts reads.
    fn lists(&mut self, bound: &[&DeclaredGateway]) {
        let service = self.service;
        let mut list = |field: &str, is_there: bool, reads: fn(ServerProtocol) -> bool, what: &str| {
            let hosts = || {
                service
                    .hosts
                    .iter()
                    .filter(|host| self.is_taken(bound, host, |_| true))
            };
            let is_read = hosts().any(|host| self.is_taken(bound, host, reads));
            // If no server has the hosts, there is a finding about them already.
            if is_there && !is_read && hosts().next().is_some() {
                let message =
                    format!("no server of its Gateways with these hosts {what}: the rules have no effect");
                self.say(Severity::Warning, Code::UnreadRules, field, message);
            }
        };
        let spec = &service.spec;
        list(
            "spec.http",
            !spec.http.is_empty(),
            ServerProtocol::is_http,
            "takes HTTP requests",
        );
        let passes = |own| own == ServerProtocol::Passthrough;
        list("spec.tls", !spec.tls.is_empty(), passes, "passes TLS through");
        let ends = |own| matches!(own, ServerProtocol::Tcp | ServerProtocol::SecureTcp);
        list(
            "spec.tcp",
            !spec.tcp.is_empty(),
            ends,
            "has the protocol TCP, or TLS that ends at the gateway",
        );
    }

    /// Whether a server of these protocols takes hosts of this pattern from the VirtualService.
    fn is_taken(
        &self,
        bound: &[&DeclaredGateway],
        host: &str,
        protocols: impl Fn(ServerProtocol) -> bool + Copy,
    ) -> bool {
        let namespace = &self.service.meta.namespace;
        bound
            .iter()
            .any(|gateway| gateway.takes(host, namespace, protocols))
    }

    /// Why a block has no effect on any Gateway.
    fn dropped(
        &self,
        block: MatchScope<'_>,
        bound: &[&DeclaredGateway],
        ports: &BTreeSet<u32>,
    ) -> Option<(Severity, &'static str, &'static str)> {
        if block.port.is_some_and(|port| !ports.contains(&port)) {
            let message = "no server of its Gateways has this port";
            return Some((Severity::Warning, "port", message));
        }
        if !block.gateways.is_empty() {
            let mut named = block.gateways.iter();
            let is_own = |name: &String| {
                let mut own = self.service.spec.gateways.iter();
                own.any(|own| resolve(own, self.service) == resolve(name, self.service))
            };
            let message = "the VirtualService is bound to none of these";
            return (!named.any(is_own)).then_some((Severity::Warning, "gateways", message));
        }
        if block.has_source_labels {
            let message = "for clients in the mesh: gateways ignore this block";
            return Some((Severity::Info, "sourceLabels", message));
        }
        let foreign = block.source_namespace.is_some_and(|own| {
            let mut bound = bound.iter();
            bound.all(|gateway| *gateway.rank.namespace != *own)
        });
        let message = "for clients in that namespace: gateways ignore this block";
        foreign.then_some((Severity::Info, "sourceNamespace", message))
    }
}
