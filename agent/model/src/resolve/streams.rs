//! Where a server passes connections on to: by the server name of TLS that is passed through (`tls` rules), by that of
//! TLS that is terminated, or by the port alone (both `tcp` rules).

use std::sync::Arc;

use sealgate_core::config::{StreamDestination, TlsMatch};
use sealgate_core::host;

use super::chain;
use super::gateway::DeclaredServer;
use super::hosts::{self, HostRules};
use super::lowered::{Lowered, Purpose, Spot};
use super::match_scope::MatchScope;
use super::port::Servers;
use super::rank::Rank;
use super::rules::Lookup;
use super::service::{Service, Services};
use super::stream_route::{StreamRoute, StreamServer};
use crate::protocol::ServerProtocol;
use crate::resolved::Share;
use crate::{Code, Finding, Severity};

/// A rule that says where the connections of a host go.
struct Candidate<'r> {
    purpose: Purpose,
    rule: usize,
    /// The server name that matches: the rule with the narrowest name counts, as in Envoy.
    name: Option<String>,
    route: &'r [StreamDestination],
}

/// The rules of a VirtualService for a host of a server, in order.
fn candidates<'r>(
    service: &'r Service,
    protocol: ServerProtocol,
    (port, domain): (u16, &'r str),
    gateway: &'r Rank,
) -> Box<dyn Iterator<Item = Candidate<'r>> + 'r> {
    if protocol != ServerProtocol::Passthrough {
        let rules = service.spec.tcp.iter().enumerate();
        return Box::new(rules.filter_map(move |(rule, own)| {
            let mut blocks = own.r#match.iter().map(MatchScope::from);
            let is_for = |block: MatchScope<'_>| block.is_for(&service.meta.namespace, gateway, port);
            let is_meant = own.r#match.is_empty() || blocks.any(is_for);
            is_meant.then_some(Candidate {
                purpose: Purpose::Tcp,
                rule,
                name: None,
                route: &own.route,
            })
        }));
    }
    let rules = service.spec.tls.iter().enumerate();
    Box::new(rules.filter_map(move |(rule, own)| {
        let blocks = own.r#match.iter();
        let is_for =
            |block: &&TlsMatch| MatchScope::from(*block).is_for(&service.meta.namespace, gateway, port);
        let blocks = blocks.filter(is_for);
        let names = blocks.flat_map(|block| &block.sni_hosts);
        let names = names.map(|name| name.to_ascii_lowercase());
        let taking = names.filter(|name| host::intersection(name, domain) == Some(domain));
        let name = taking.max_by_key(|name| host::precedence(name))?;
        Some(Candidate {
            purpose: Purpose::Tls,
            rule,
            name: Some(name),
            route: &own.route,
        })
    }))
}

/// What is declared for a host of a port: for its connections, if its server routes them as a whole, else for its
/// requests.
pub(super) fn declared(host: (u16, &str), servers: &Servers, services: &Services) -> Option<HostRules> {
    let taking = servers.of_pattern(host.1).next();
    let taking = taking.or_else(|| Some(servers.narrowest(host.1).next()?.0));
    // A port for TLS has one server per pattern, and one for TCP has one server.
    match taking {
        Some(server) if !server.protocol.is_http() => connections(host, servers, services),
        _ => hosts::declared(host.1, servers, services),
    }
}

/// What is declared for the connections of a host; none if no rule applies to it.
fn connections((port, domain): (u16, &str), servers: &Servers, services: &Services) -> Option<HostRules> {
    let (server, pattern, is_own) = match servers.of_pattern(domain).next() {
        Some(server) => (server, Arc::from(domain), true),
        None => {
            let (server, pattern) = servers.narrowest(domain).next()?;
            (server, pattern, false)
        }
    };
    let mut rules = HostRules {
        stream: Some(StreamServer {
            id: server.id.clone(),
            protocol: server.protocol,
        }),
        ..HostRules::default()
    };
    let gateway = &server.id.gateway;
    let mut bind = |service: &Arc<Service>| {
        let is_open = is_open(server, &pattern, service) && service.is_bound(gateway);
        let mut own = candidates(service, server.protocol, (port, domain), gateway);
        if is_open && own.next().is_some() {
            rules.speaks(service, gateway);
        }
    };
    match (server.protocol, is_own) {
        (ServerProtocol::Tcp, true) => services.tcp_of_gateway(&gateway.name).for_each(bind),
        (ServerProtocol::Tcp, false) => {}
        (ServerProtocol::Passthrough, _) => {
            services.of_server_name(domain).for_each(&mut bind);
            let wider = services.server_name_containing(domain);
            wider.filter(|_| is_own).for_each(bind);
        }
        _ => {
            services.of_host(domain).for_each(&mut bind);
            services.containing(domain).filter(|_| is_own).for_each(bind);
        }
    }
    (!rules.services.is_empty()).then_some(rules)
}

/// Whether a VirtualService may say where the connections of a server go: by the host's pattern or, for TCP, where the
/// host is unknown, by any of its own hosts.
fn is_open(server: &DeclaredServer, pattern: &str, service: &Service) -> bool {
    let namespace = &*service.meta.namespace;
    if server.protocol != ServerProtocol::Tcp {
        return server.is_open(pattern, namespace);
    }
    let mut hosts = server.hosts.iter();
    hosts.any(|own| {
        let is_open = own.namespace.as_deref().is_none_or(|own| *own == *namespace);
        let mut hosts = service.hosts.iter();
        is_open && hosts.any(|host| host::intersection(&own.pattern, host).is_some())
    })
}

/// Where the connections of a host go, and the consequences.
pub(super) fn route(
    domain: &str,
    (host, server): (&HostRules, &StreamServer),
    port: u16,
    lookup: Lookup<'_>,
) -> (StreamRoute, Lowered) {
    let mut lowered = Lowered::default();
    let gateway = &server.id.gateway;
    let mut first: Option<(&Arc<Service>, Candidate<'_>)> = None;
    let mut late = Vec::new();
    for group in host.groups() {
        // Within a group, the narrowest name comes first, then the oldest VirtualService, then its first rule.
        let services = group
            .into_iter()
            .filter_map(|(rank, _)| lookup.services.get(rank));
        let all = services.flat_map(|service| {
            let own = candidates(service, server.protocol, (port, domain), gateway);
            own.map(move |candidate| (service, candidate))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, own)| std::cmp::Reverse(own.name.as_deref().map(host::precedence)));
        let mut all = all.into_iter();
        first = first.or_else(|| all.next());
        late.extend(all);
    }
    let shares = first
        .as_ref()
        .map(|(service, own)| shares(service, own, port, lookup, &mut lowered));
    if let Some(first) = &first {
        let told = late.iter().filter_map(|late| behind(domain, port, first, late));
        lowered.findings.extend(told.collect::<Vec<_>>());
    }
    let route = StreamRoute {
        server: chain::name(&server.id),
        service: first.map(|(service, _)| service.object_ref()),
        shares: shares.unwrap_or_default(),
    };
    (route, lowered)
}

/// A single destination gets everything, whatever its weight. Of several, those without a weight get nothing.
fn shares(
    service: &Service,
    candidate: &Candidate<'_>,
    port: u16,
    lookup: Lookup<'_>,
    lowered: &mut Lowered,
) -> Vec<Share> {
    let is_only = candidate.route.len() == 1;
    let weight = |to: &StreamDestination| match to.weight.unwrap_or(0) {
        _ if is_only => 1,
        weight if weight <= 0 => 0,
        weight => u32::try_from(weight).unwrap_or(u32::MAX),
    };
    let places = candidate.route.iter().enumerate();
    let places = places
        .map(|(at, to)| (at, to, weight(to)))
        .filter(|(_, _, weight)| *weight > 0);
    let shares = places.map(|(at, to, weight)| {
        let spot = Spot {
            purpose: candidate.purpose,
            at: u32::try_from(candidate.rule).ok().zip(u32::try_from(at).ok()),
        };
        let cluster = lookup
            .catalog
            .cluster((&to.destination, spot), &service.meta, port, lowered);
        Share {
            cluster: cluster.into(),
            weight,
        }
    });
    shares.collect()
}

/// The finding about a rule whose connections another rule gets. A rule for a wider server name still gets others.
fn behind(
    domain: &str,
    port: u16,
    (first, by): &(&Arc<Service>, Candidate<'_>),
    (late, own): &(&Arc<Service>, Candidate<'_>),
) -> Option<Finding> {
    if own.name.as_ref().is_some_and(|name| name != domain) {
        return None;
    }
    let list = |own: &Candidate<'_>| match own.purpose {
        Purpose::Tls => format!("tls[{}]", own.rule),
        _ => format!("tcp[{}]", own.rule),
    };
    let what = match domain {
        "*" => format!("connections to port {port}"),
        _ => format!("connections for {domain} to port {port}"),
    };
    let (code, whose) = match first.rank == late.rank {
        true => (Code::DeadRule, list(by)),
        false => (
            Code::ShadowedHost,
            format!(
                "{} of VirtualService {}/{}",
                list(by),
                first.rank.namespace,
                first.rank.name
            ),
        ),
    };
    Some(Finding {
        severity: Severity::Warning,
        code,
        object: late.object_ref(),
        field: Some(format!("spec.{}", list(own))),
        message: format!("{whose} comes first and gets all {what}"),
    })
}
