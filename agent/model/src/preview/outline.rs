//! An outline of what is served, for people: Gateways, hosts, and rules in declared order.

use std::collections::{BTreeMap, BTreeSet};

use sealgate_core::rules::{Action, MatchConfig, RuleConfig, RuleOrigin};
use serde::Serialize;

use super::Preview;
use crate::resolve::gateway::{DeclaredGateway, DeclaredServer};
use crate::resolve::{HostKey, HostRoutes, ListedRules};
use crate::resolved::Share;
use crate::{Code, Finding, Kind, ObjectRef};

/// A Gateway.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayOutline {
    /// `namespace/name`.
    pub name: String,
    /// In declared order.
    pub servers: Vec<ServerOutline>,
}

/// One of its servers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerOutline {
    /// Its place in `spec.servers`.
    pub at: usize,
    /// The Gateway's port.
    pub port: u16,
    /// The port that Envoy binds.
    pub bind: u16,
    /// Whether TLS ends here.
    pub tls: bool,
    /// Whether plain requests are sent to HTTPS.
    pub https_redirect: bool,
    /// As they are written.
    pub hosts: Vec<String>,
    /// The Secrets that it names.
    pub credentials: Vec<String>,
    /// Whether the port is served at all.
    pub served: bool,
}

/// A host of a port.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostOutline {
    /// The Gateway's port.
    pub port: u16,
    /// `name`, `*.suffix` or `*`.
    pub domain: String,
    /// How many rules are tried for it.
    pub rules: usize,
    /// How many rules are doubtful, or never tried for it.
    pub marked: usize,
    /// The VirtualServices that they belong to.
    pub services: Vec<String>,
    /// More text to search: paths and destinations.
    pub words: String,
    /// Whether its connections are passed on as a whole. `words` then has the destinations; if empty, connections are
    /// closed.
    pub passed_on: bool,
}

/// A rule of a host.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleOutline {
    /// The VirtualService that it is written in.
    pub service: String,
    /// Its place in `spec.http`.
    pub rule: usize,
    /// Its name.
    pub name: Option<String>,
    /// The VirtualService that delegated to it.
    pub root: Option<String>,
    /// Its blocks, each with its conditions; without blocks, it matches every request.
    pub blocks: Vec<Vec<String>>,
    /// What it does.
    pub action: String,
    /// Findings about it, for this host or another one.
    pub marks: Vec<MarkOutline>,
    /// The earlier rule that takes every request for the host; none if this rule is tried.
    pub cut_by: Option<String>,
}

/// A finding about a rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkOutline {
    /// The finding's code.
    pub code: Code,
    /// The field.
    pub field: String,
    /// For people.
    pub message: String,
}

/// The limit of a host's `words`.
const MOST_WORDS: usize = 2000;

/// Findings by VirtualService and rule.
type Marks<'f> = BTreeMap<(String, usize), Vec<&'f Finding>>;

impl Preview {
    /// The Gateways that this gateway serves.
    #[must_use]
    pub fn gateways(&self) -> Vec<GatewayOutline> {
        let gateways = self.resolver.gateways().values();
        gateways.map(|gateway| self.gateway_outline(gateway)).collect()
    }

    fn gateway_outline(&self, gateway: &DeclaredGateway) -> GatewayOutline {
        let servers = gateway.servers.iter();
        GatewayOutline {
            name: format!("{}/{}", gateway.rank.namespace, gateway.rank.name),
            servers: servers.map(|(at, server)| self.server(*at, server)).collect(),
        }
    }

    fn server(&self, at: usize, server: &DeclaredServer) -> ServerOutline {
        let port = self.resolver.port(server.port);
        let hosts = server.hosts.iter().map(|host| match &host.namespace {
            Some(namespace) => format!("{namespace}/{}", host.pattern),
            None => host.pattern.to_string(),
        });
        let credentials = server.tls.iter().flat_map(|tls| tls.credentials());
        ServerOutline {
            at,
            port: server.port,
            bind: self
                .gateway
                .port_map
                .get(&server.port)
                .copied()
                .unwrap_or(server.port),
            tls: server.tls.is_some(),
            https_redirect: server.https_redirect,
            hosts: hosts.collect(),
            credentials: credentials.map(|name| name.to_string()).collect(),
            served: port.is_some(),
        }
    }

    /// All hosts of all ports, without their rules.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostOutline> {
        let findings = self.findings();
        let marks = marks(&findings);
        let hosts = self.resolver.hosts();
        hosts
            .filter_map(|(host, routes)| self.host(&host, routes, &marks))
            .collect()
    }

    fn host(&self, host: &HostKey, routes: &HostRoutes, marks: &Marks<'_>) -> Option<HostOutline> {
        match routes.connections() {
            Some((service, shares)) => Some(passed_on(host, service, shares)),
            None => Some(host_outline(host, &self.resolver.listed(host)?, marks)),
        }
    }

    /// The rules of a host: those that are tried, in order, then those that are not, in declared order.
    #[must_use]
    pub fn rules(&self, port: u16, domain: &str) -> Vec<RuleOutline> {
        let findings = self.findings();
        let marks = marks(&findings);
        let listed = self.resolver.listed(&(port, domain.into())).unwrap_or_default();
        let rules = all(&listed);
        rules.map(|(rule, by)| rule_outline(rule, by, &marks)).collect()
    }
}

/// The rules of a host, each with the rule that takes its requests, if any.
fn all(listed: &ListedRules) -> impl Iterator<Item = (&RuleConfig, Option<&RuleOrigin>)> {
    let tried = listed.tried.iter().map(|rule| (rule, None));
    tried.chain(listed.left_out.iter().map(|(rule, by)| (rule, Some(by))))
}

/// Findings about rules of VirtualServices.
fn marks(findings: &[Finding]) -> Marks<'_> {
    let mut marks = Marks::new();
    let own = findings
        .iter()
        .filter(|found| found.object.kind == Kind::VirtualService);
    for finding in own {
        let field = finding.field.as_deref().unwrap_or_default();
        let at = field
            .strip_prefix("spec.http[")
            .and_then(|rest| rest.split_once(']'));
        if let Some(at) = at.and_then(|(at, _)| at.parse().ok()) {
            let service = format!("{}/{}", finding.object.namespace, finding.object.name);
            marks.entry((service, at)).or_default().push(finding);
        }
    }
    marks
}

fn marks_of<'m, 'f>(rule: &RuleConfig, marks: &'m Marks<'f>) -> &'m [&'f Finding] {
    let key = (rule.origin.virtual_service.clone(), rule.origin.rule);
    marks.get(&key).map_or(&[], Vec::as_slice)
}

fn host_outline((port, domain): &HostKey, listed: &ListedRules, marks: &Marks<'_>) -> HostOutline {
    let services: BTreeSet<&str> = all(listed)
        .map(|(rule, _)| &*rule.origin.virtual_service)
        .collect();
    let marked = all(listed).filter(|(rule, by)| by.is_some() || !marks_of(rule, marks).is_empty());
    HostOutline {
        port: *port,
        domain: domain.to_string(),
        rules: listed.tried.len(),
        marked: marked.count(),
        services: services.into_iter().map(str::to_owned).collect(),
        words: words(all(listed).map(|(rule, _)| rule)),
        passed_on: false,
    }
}

/// A host that no HTTP rule applies to.
fn passed_on((port, domain): &HostKey, service: Option<&ObjectRef>, shares: &[Share]) -> HostOutline {
    let service = service.map(|own| format!("{}/{}", own.namespace, own.name));
    HostOutline {
        port: *port,
        domain: domain.to_string(),
        rules: 0,
        marked: 0,
        services: service.into_iter().collect(),
        words: destinations(shares.iter().map(|share| (&*share.cluster, share.weight))),
        passed_on: true,
    }
}

fn words<'r>(rules: impl Iterator<Item = &'r RuleConfig>) -> String {
    let mut words = String::new();
    for rule in rules {
        if words.len() > MOST_WORDS {
            break;
        }
        for block in &rule.matches {
            words.push_str(&conditions(block).join(" "));
            words.push(' ');
        }
        words.push_str(&action(&rule.action));
        words.push(' ');
    }
    words
}

fn rule_outline(rule: &RuleConfig, by: Option<&RuleOrigin>, marks: &Marks<'_>) -> RuleOutline {
    let marked = marks_of(rule, marks).iter().map(|finding| MarkOutline {
        code: finding.code,
        field: finding.field.clone().unwrap_or_default(),
        message: finding.message.clone(),
    });
    let root = rule.origin.root.as_deref();
    RuleOutline {
        service: rule.origin.virtual_service.clone(),
        rule: rule.origin.rule,
        name: rule.origin.name.clone(),
        root: root.map(|root| format!("{} http[{}]", root.virtual_service, root.rule)),
        blocks: rule.matches.iter().map(conditions).collect(),
        action: action(&rule.action),
        marks: marked.collect(),
        cut_by: by.map(|by| format!("{} http[{}]", by.virtual_service, by.rule)),
    }
}

fn conditions(block: &MatchConfig) -> Vec<String> {
    let case = if block.ignore_uri_case {
        " (case-insensitive)"
    } else {
        ""
    };
    let uri = block.uri.iter().map(|uri| format!("path {uri}{case}"));
    let headers = block
        .headers
        .iter()
        .map(|(name, wanted)| match name.strip_prefix(':') {
            Some(name) => format!("{name} {wanted}"),
            None => format!("header {name}: {wanted}"),
        });
    let without = block.without_headers.iter();
    let without = without.map(|(name, wanted)| format!("no header {name}: {wanted}"));
    let query = block.query_params.iter();
    let query = query.map(|(name, wanted)| format!("query {name}: {wanted}"));
    uri.chain(headers).chain(without).chain(query).collect()
}

fn action(action: &Action) -> String {
    match action {
        Action::Route(route) => {
            let all = route.destinations.iter();
            let all = all.map(|to| (&*to.cluster, to.weight));
            format!("to {}", destinations(all))
        }
        Action::Redirect(redirect) => format!("redirect with {}", redirect.status),
        Action::Direct(direct) => format!("respond with {}", direct.status),
    }
}

/// Clusters with their weights, for people.
fn destinations<'d>(all: impl Iterator<Item = (&'d str, u32)> + Clone) -> String {
    let total: u64 = all.clone().map(|(_, weight)| u64::from(weight)).sum();
    let is_only = all.clone().count() == 1;
    let names = all.map(|(cluster, weight)| match is_only {
        true => short(cluster),
        false => format!("{} ({weight} of {total})", short(cluster)),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// `outbound|PORT|SUBSET|HOST`, for people.
fn short(cluster: &str) -> String {
    match cluster.split('|').collect::<Vec<_>>()[..] {
        [_, port, "", host] => format!("{host}:{port}"),
        [_, port, subset, host] => format!("{host}:{port} subset {subset}"),
        _ => cluster.to_owned(),
    }
}
