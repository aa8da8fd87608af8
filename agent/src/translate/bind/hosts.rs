//! Which VirtualServices speak for which host of a port.

use std::collections::BTreeMap;

use sealgate_core::config::Server;
use sealgate_core::host;
use sealgate_core::table::{TableConfig, VirtualHostConfig};
use sealgate_model::Meta;
use sealgate_model::validate::split_host;

use super::{Binder, GatewayRef, ServiceRef};

/// Hosts of one port on their way to the table.
#[derive(Default)]
pub(super) struct HostRules<'a> {
    https_redirect: bool,
    /// In order, each with the Gateways through which it is bound.
    pub(super) services: Vec<(ServiceRef<'a>, Vec<&'a Meta>)>,
}

impl<'a> Binder<'a> {
    pub(super) fn collect_hosts(
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
                    match rules.services.iter_mut().find(|(known, _)| known.0 == service.0) {
                        Some((_, gateways)) => gateways.push(gateway.0),
                        None => rules.services.push((*service, vec![gateway.0])),
                    }
                }
            }
        }
    }

    fn is_bound(&self, (meta, spec): &ServiceRef<'_>, (gateway, _): GatewayRef<'_>) -> bool {
        is_exported(&spec.export_to, &meta.namespace, &gateway.namespace)
            && spec
                .gateways
                .iter()
                .any(|name| names_gateway(name, &meta.namespace, gateway))
    }

    pub(super) fn table(&mut self, number: u16, hosts: BTreeMap<String, HostRules<'a>>) -> TableConfig {
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
                        .all(|(a, b)| a.0.0 == b.0.0 && a.1 == b.1)
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
}

/// Whether `exportTo` of an object of `own` lets `namespace` see it; without one everybody does.
pub(in crate::translate) fn is_exported(export_to: &[String], own: &str, namespace: &str) -> bool {
    export_to.is_empty()
        || export_to.iter().any(|to| match to.as_str() {
            "*" => true,
            "." => own == namespace,
            to => to == namespace,
        })
}

/// `name` is the Gateway of its own namespace, `ns/name` another's.
pub(super) fn names_gateway(name: &str, namespace: &str, gateway: &Meta) -> bool {
    match name.split_once('/') {
        Some((namespace, name)) => namespace == gateway.namespace && name == gateway.name,
        None => name == gateway.name && namespace == gateway.namespace,
    }
}
