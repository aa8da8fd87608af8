//! What is served, from Gateways to hosts to rules in declared order, for people to look at.

use std::collections::BTreeMap;

use sealgate_core::rules::{Action, MatchConfig, RuleConfig, VirtualHostConfig};
use serde::Serialize;

use super::Preview;
use crate::resolve::gateway::{DeclaredGateway, DeclaredServer};
use crate::{Code, Finding, Kind};

/// A Gateway.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayOutline {
    /// `namespace/name`.
    pub name: String,
    /// As they are declared.
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
    /// How many rules it has.
    pub rules: usize,
    /// How many of them are marked.
    pub marked: usize,
    /// The VirtualServices that they are of.
    pub services: Vec<String>,
    /// What else of the rules may be searched for: paths and destinations.
    pub words: String,
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
    /// Its blocks, each with its conditions; none takes every request.
    pub blocks: Vec<Vec<String>>,
    /// What happens then.
    pub action: String,
    /// What is doubtful of it: codes and messages.
    pub marks: Vec<MarkOutline>,
}

/// What is doubtful of a rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MarkOutline {
    /// The finding's code.
    pub code: Code,
    /// In which field.
    pub field: String,
    /// For people.
    pub message: String,
}

/// Longer words of a host are not searched.
const MOST_WORDS: usize = 2000;

/// Findings by VirtualService and rule.
type Marks<'f> = BTreeMap<(String, usize), Vec<&'f Finding>>;

impl Preview {
    /// The Gateways that are this gateway's.
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
        let tables = self
            .explainer()
            .into_iter()
            .flat_map(|explainer| explainer.tables());
        let hosts =
            tables.flat_map(|(port, table)| table.virtual_hosts.iter().map(move |host| (*port, host)));
        hosts
            .map(|(port, host)| host_outline(port, host, &marks))
            .collect()
    }

    /// The rules of a host, in the order in which they are tried.
    #[must_use]
    pub fn rules(&self, port: u16, domain: &str) -> Vec<RuleOutline> {
        let findings = self.findings();
        let marks = marks(&findings);
        let table = self
            .explainer()
            .and_then(|explainer| explainer.tables().get(&port));
        let hosts = table.into_iter().flat_map(|table| &table.virtual_hosts);
        let mut own = hosts.filter(|host| host.domains.iter().any(|own| own == domain));
        let rules = own.next().into_iter().flat_map(|host| &host.rules);
        rules.map(|rule| rule_outline(rule, &marks)).collect()
    }
}

/// What is doubtful of rules themselves, not of what they lead to.
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

fn host_outline(port: u16, host: &VirtualHostConfig, marks: &Marks<'_>) -> HostOutline {
    let mut services: Vec<String> = host
        .rules
        .iter()
        .map(|rule| rule.origin.virtual_service.clone())
        .collect();
    services.sort();
    services.dedup();
    let mut words = String::new();
    for rule in &host.rules {
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
    HostOutline {
        port,
        domain: host.domains.join(", "),
        rules: host.rules.len(),
        marked: host
            .rules
            .iter()
            .filter(|rule| !marks_of(rule, marks).is_empty())
            .count(),
        services,
        words,
    }
}

fn rule_outline(rule: &RuleConfig, marks: &Marks<'_>) -> RuleOutline {
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
    }
}

fn conditions(block: &MatchConfig) -> Vec<String> {
    let case = if block.ignore_uri_case {
        ", whatever its case"
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
            let total: u32 = route.destinations.iter().map(|to| to.weight).sum();
            let many = route.destinations.len() > 1;
            let names = route.destinations.iter().map(|to| {
                let share = if many {
                    format!(" ({} of {total})", to.weight)
                } else {
                    String::new()
                };
                format!("{}{share}", short(&to.cluster))
            });
            format!("to {}", names.collect::<Vec<_>>().join(", "))
        }
        Action::Redirect(redirect) => format!("redirect, {}", redirect.status),
        Action::Direct(direct) => format!("answer {}", direct.status),
    }
}

/// `outbound|PORT|SUBSET|HOST` as people write it.
fn short(cluster: &str) -> String {
    match cluster.split('|').collect::<Vec<_>>()[..] {
        [_, port, "", host] => format!("{host}:{port}"),
        [_, port, subset, host] => format!("{host}:{port} subset {subset}"),
        _ => cluster.to_owned(),
    }
}
