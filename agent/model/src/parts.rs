//! An object with invalid parts: only the smallest meaningful part is refused, and the rest is served.
//!
//! If an earlier version of the part can be identified, that version is still served: a server by its port and hosts, a
//! rule by its conditions, a subset and a port by their names. Otherwise the part is left out, except for rules: later
//! rules may allow what the invalid one denies, so its place stays, and its requests get 503.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_core::config::{
    ClientTls, DestinationRuleSpec, DirectResponse, GatewaySpec, HttpRoute, PortTrafficPolicy, Server,
    ServiceEntrySpec, StreamDestination, Subset, TrafficPolicy, VirtualServiceSpec,
};
use sealgate_core::host;

use crate::named;
use crate::{Finding, Kind, Object, Severity};

/// `portLevelSettings` of a policy: each cluster of the service looks through them for its port.
pub(crate) const PORT_SETTINGS: usize = 128;
/// Labels of a subset: each cluster of it compares them with those of each endpoint.
pub(crate) const SUBSET_LABELS: usize = 64;

/// A part of an object that can be refused alone, by its place in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ObjectPart {
    /// `spec.servers` of a Gateway.
    Server(usize),
    /// `spec.http` of a VirtualService.
    Rule(usize),
    /// `spec.tls` of a VirtualService.
    TlsRule(usize),
    /// `spec.tcp` of a VirtualService.
    TcpRule(usize),
    /// `spec.hosts` of a VirtualService or a ServiceEntry.
    Host(usize),
    /// `spec.subsets` of a DestinationRule.
    Subset(usize),
    /// `spec.ports` of a ServiceEntry.
    Port(usize),
    /// `spec.endpoints` of a ServiceEntry.
    Endpoint(usize),
}

impl ObjectPart {
    /// The part that a field belongs to; none if an error there affects the whole object. So do errors in a rule's
    /// conditions: without them, it is unknown which requests must not reach later rules.
    pub(crate) fn of(kind: Kind, field: &str) -> Option<Self> {
        let (list, rest) = field.strip_prefix("spec.")?.split_once('[')?;
        let (at, rest) = rest.split_once(']')?;
        let at = at.parse().ok()?;
        match (kind, list) {
            (Kind::Gateway, "servers") => Some(Self::Server(at)),
            (Kind::VirtualService, _) if rest.starts_with(".match") => None,
            (Kind::VirtualService, "http") => Some(Self::Rule(at)),
            (Kind::VirtualService, "tls") => Some(Self::TlsRule(at)),
            (Kind::VirtualService, "tcp") => Some(Self::TcpRule(at)),
            (Kind::VirtualService | Kind::ServiceEntry, "hosts") => Some(Self::Host(at)),
            (Kind::DestinationRule, "subsets") => Some(Self::Subset(at)),
            (Kind::ServiceEntry, "ports") => Some(Self::Port(at)),
            (Kind::ServiceEntry, "endpoints") => Some(Self::Endpoint(at)),
            _ => None,
        }
    }

    /// The list of the spec that it is in, and its place there.
    pub(crate) fn place(self) -> (&'static str, usize) {
        match self {
            Self::Server(at) => ("servers", at),
            Self::Rule(at) => ("http", at),
            Self::TlsRule(at) => ("tls", at),
            Self::TcpRule(at) => ("tcp", at),
            Self::Host(at) => ("hosts", at),
            Self::Subset(at) => ("subsets", at),
            Self::Port(at) => ("ports", at),
            Self::Endpoint(at) => ("endpoints", at),
        }
    }
}

/// The parts that have errors.
pub(crate) fn broken(kind: Kind, findings: &[Finding]) -> BTreeSet<ObjectPart> {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    errors
        .filter_map(|error| ObjectPart::of(kind, error.field.as_deref()?))
        .collect()
}

/// Whether a finding is about one of these parts.
pub(crate) fn is_of(finding: &Finding, parts: &BTreeSet<ObjectPart>) -> bool {
    let part = finding
        .field
        .as_deref()
        .and_then(|field| ObjectPart::of(finding.object.kind, field));
    part.is_some_and(|part| parts.contains(&part))
}

/// What happens to a part that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its previous version is still served.
    Stays,
    /// The rule's place stays: its requests get 503, its connections are closed.
    Unavailable,
    LeftOut,
}

impl Fate {
    fn words(self, part: ObjectPart, object: &Object) -> String {
        let words = match (self, part, object) {
            (Self::Stays, _, _) => "the previous version is still served",
            (Self::Unavailable, ObjectPart::Rule(_), _) => "its requests are answered with 503",
            (Self::Unavailable, _, _) => "its connections are closed",
            (Self::LeftOut, ObjectPart::Server(at), Object::Gateway(_, spec)) => {
                let hosts = spec
                    .servers
                    .get(at)
                    .map(|server| &*server.hosts)
                    .unwrap_or_default();
                return unserved(hosts);
            }
            (Self::LeftOut, _, _) => "it is left out",
        };
        words.to_owned()
    }
}

fn unserved(hosts: &[String]) -> String {
    if hosts.is_empty() {
        return "the server is not served".to_owned();
    }
    format!("the server's hosts are not served: {}", named::first_few(hosts))
}

type Fates = BTreeMap<ObjectPart, Fate>;

/// The object without its invalid parts; none if nothing of it can be served. Adds to the message of each error what
/// happens to the part. `former` is the version that has been served until now.
pub(crate) fn admitted(
    object: &Arc<Object>,
    former: Option<&Object>,
    findings: &mut [Finding],
) -> Option<Arc<Object>> {
    let kind = object.kind();
    let part = |finding: &Finding| ObjectPart::of(kind, finding.field.as_deref()?);
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let broken: Option<Fates> = errors.map(|error| Some((part(error)?, Fate::LeftOut))).collect();
    let mut broken = broken?;
    if broken.is_empty() {
        return Some(Arc::clone(object));
    }
    let former = former.filter(|former| has_same_scope(object, former));
    let mended = mend(object, former, &mut broken)?;
    for finding in findings {
        let fate = part(finding).filter(|_| finding.severity == Severity::Error);
        if let Some((part, fate)) = fate.and_then(|part| Some((part, broken.get(&part)?))) {
            finding.message = format!("{}; {}", finding.message, fate.words(part, object));
        }
    }
    Some(Arc::new(mended))
}

/// Whether a part means the same in both versions: the fields that say what it applies to are equal.
fn has_same_scope(object: &Object, former: &Object) -> bool {
    match (object, former) {
        (Object::Gateway(meta, own), Object::Gateway(before, former)) => {
            own.selector == former.selector && meta.annotations == before.annotations
        }
        (Object::VirtualService(_, own), Object::VirtualService(_, former)) => {
            own.hosts == former.hosts && own.gateways == former.gateways && own.export_to == former.export_to
        }
        (Object::DestinationRule(_, own), Object::DestinationRule(_, former)) => {
            own.host == former.host
                && own.export_to == former.export_to
                && own.workload_selector == former.workload_selector
        }
        (Object::ServiceEntry(_, own), Object::ServiceEntry(_, former)) => {
            own.hosts == former.hosts
                && own.resolution == former.resolution
                && own.workload_selector == former.workload_selector
                && own.export_to == former.export_to
        }
        _ => false,
    }
}

/// Mends an object, with one function per kind.
macro_rules! by_kind {
    ($($kind:ident: $mend:ident,)*) => {
        fn mend(object: &Object, former: Option<&Object>, broken: &mut Fates) -> Option<Object> {
            match object {
                $(Object::$kind(meta, spec) => {
                    let former = match former {
                        Some(Object::$kind(_, former)) => Some(&**former),
                        _ => None,
                    };
                    Some(Object::$kind(Arc::clone(meta), Arc::new($mend(spec, former, broken)?)))
                })*
                _ => None,
            }
        }
    };
}

by_kind! {
    Gateway: gateway,
    VirtualService: virtual_service,
    DestinationRule: destination_rule,
    ServiceEntry: service_entry,
}

/// Servers keep their places, which name their filter chains: one without hosts replaces one that is left out.
fn gateway(spec: &GatewaySpec, former: Option<&GatewaySpec>, broken: &mut Fates) -> Option<GatewaySpec> {
    let mut mended = spec.clone();
    for (part, fate) in broken.iter_mut() {
        let ObjectPart::Server(at) = part else { return None };
        let server = mended.servers.get_mut(*at)?;
        let mut before = former.into_iter().flat_map(|former| &former.servers);
        let hosts = |server: &Server| server.hosts.iter().cloned().collect::<BTreeSet<_>>();
        let is_same = |own: &&Server| own.port.number == server.port.number && hosts(own) == hosts(server);
        if let Some(before) = before.find(|own| !own.hosts.is_empty() && is_same(own)) {
            *fate = Fate::Stays;
            *server = before.clone();
        } else {
            *server = Server {
                port: server.port.clone(),
                ..Server::default()
            };
        }
    }
    let left_out = broken.iter().filter(|(_, fate)| **fate == Fate::LeftOut);
    let mut left_out = left_out.filter_map(|(part, _)| spec.servers.get(part.place().1));
    let is_served = |server: &Server| !server.hosts.is_empty();
    let is_closed = !left_out.any(|server| is_taken_over(server, &mended.servers));
    (is_closed && mended.servers.iter().any(is_served)).then_some(mended)
}

/// Whether another server would take a host of one that is left out. It may require less of clients, such as no
/// certificate.
fn is_taken_over(left_out: &Server, servers: &[Server]) -> bool {
    let pattern = |host: &String| host.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let takes = |host: &String, own: &String| host::intersection(&pattern(host), &pattern(own)).is_some();
    let on_its_port = servers
        .iter()
        .filter(|own| own.port.number == left_out.port.number);
    let mut hosts = on_its_port.flat_map(|own| &own.hosts);
    hosts.any(|own| left_out.hosts.is_empty() || left_out.hosts.iter().any(|host| takes(host, own)))
}

fn virtual_service(
    spec: &VirtualServiceSpec,
    former: Option<&VirtualServiceSpec>,
    broken: &mut Fates,
) -> Option<VirtualServiceSpec> {
    let mut mended = spec.clone();
    for (part, fate) in broken.iter_mut() {
        match *part {
            ObjectPart::TlsRule(at) => {
                let rule = mended.tls.get_mut(at)?;
                let former = former.into_iter().flat_map(|former| &former.tls);
                *fate = stream_rule(rule, former, |own| &own.r#match, |own| &mut own.route);
            }
            ObjectPart::TcpRule(at) => {
                let rule = mended.tcp.get_mut(at)?;
                let former = former.into_iter().flat_map(|former| &former.tcp);
                *fate = stream_rule(rule, former, |own| &own.r#match, |own| &mut own.route);
            }
            _ => {}
        }
        let ObjectPart::Rule(at) = part else { continue };
        let rule = mended.http.get_mut(*at)?;
        let mut before = former.into_iter().flat_map(|former| &former.http);
        let stand_in = unavailable(rule);
        let is_same = |own: &&HttpRoute| own.r#match == rule.r#match && own.name == rule.name;
        if let Some(before) = before.find(is_same).filter(|own| **own != stand_in) {
            *fate = Fate::Stays;
            *rule = before.clone();
        } else {
            *fate = Fate::Unavailable;
            *rule = stand_in;
        }
    }
    mended.hosts = without(&spec.hosts, |at| broken.contains_key(&ObjectPart::Host(at)))?;
    Some(mended)
}

/// Replaces a rule for connections with its previous version, or with one that closes them.
fn stream_rule<'f, R: Clone + 'f, M: PartialEq>(
    rule: &mut R,
    mut former: impl Iterator<Item = &'f R>,
    blocks: impl Fn(&R) -> &Vec<M>,
    route: impl Fn(&mut R) -> &mut Vec<StreamDestination>,
) -> Fate {
    if let Some(before) = former.find(|own| blocks(own) == blocks(rule)) {
        *rule = before.clone();
        if !route(rule).is_empty() {
            return Fate::Stays;
        }
    }
    route(rule).clear();
    Fate::Unavailable
}

/// The replacement of an invalid rule: it answers 503.
pub(crate) fn unavailable(rule: &HttpRoute) -> HttpRoute {
    let answer = DirectResponse {
        status: 503,
        ..DirectResponse::default()
    };
    HttpRoute {
        name: rule.name.clone(),
        r#match: rule.r#match.clone(),
        direct_response: Some(Box::new(answer)),
        ..HttpRoute::default()
    }
}

fn destination_rule(
    spec: &DestinationRuleSpec,
    former: Option<&DestinationRuleSpec>,
    broken: &mut Fates,
) -> Option<DestinationRuleSpec> {
    let mut mended = spec.clone();
    let former = former.map(|former| &*former.subsets).unwrap_or_default();
    mended.subsets = with_former(
        &spec.subsets,
        former,
        ObjectPart::Subset,
        broken,
        |own, before| own.name == before.name,
        tls_alone,
    );
    (!mended.subsets.is_empty()).then_some(mended)
}

/// A subset with only its TLS settings; none if it has none, or if its name is invalid.
pub(crate) fn tls_alone(subset: &Subset) -> Option<Subset> {
    let policy = subset.traffic_policy.as_deref().and_then(policy_of_tls)?;
    let labels = Some(&subset.labels).filter(|labels| labels.len() <= SUBSET_LABELS);
    sealgate_core::host::is_subset(&subset.name).then(|| Subset {
        name: subset.name.clone(),
        labels: labels.cloned().unwrap_or_default(),
        traffic_policy: Some(policy),
    })
}

/// Not an existing mode: requests are answered with 503.
const MANY_PORTS: &str = "(too many portLevelSettings)";

/// The TLS settings of a policy; none if it does not ask for TLS. A policy with too many ports is not searched: its TLS
/// settings are ones that cannot be carried out.
pub(crate) fn policy_of_tls(policy: &TrafficPolicy) -> Option<Box<TrafficPolicy>> {
    let ports = policy.port_level_settings.as_slice();
    let of_ports = ports.iter().filter_map(|port| port.tls.as_ref());
    let mut all = policy.tls.iter().chain(of_ports);
    all.any(ClientTls::is_on).then(|| {
        Box::new(match ports.len() <= PORT_SETTINGS {
            true => TrafficPolicy {
                tls: policy.tls.clone(),
                port_level_settings: ports.iter().map(tls_of_port).collect(),
                ..TrafficPolicy::default()
            },
            false => TrafficPolicy {
                tls: Some(ClientTls {
                    mode: Some(MANY_PORTS.to_owned()),
                    ..ClientTls::default()
                }),
                ..TrafficPolicy::default()
            },
        })
    })
}

fn tls_of_port(port: &PortTrafficPolicy) -> PortTrafficPolicy {
    PortTrafficPolicy {
        port: port.port.clone(),
        tls: port.tls.clone(),
        ..PortTrafficPolicy::default()
    }
}

fn service_entry(
    spec: &ServiceEntrySpec,
    former: Option<&ServiceEntrySpec>,
    broken: &mut Fates,
) -> Option<ServiceEntrySpec> {
    let mut mended = spec.clone();
    let former = former.map(|former| &*former.ports).unwrap_or_default();
    mended.ports = with_former(
        &spec.ports,
        former,
        ObjectPart::Port,
        broken,
        |own, before| own.number == before.number && own.name == before.name,
        |_| None,
    );
    mended.hosts = without(&spec.hosts, |at| broken.contains_key(&ObjectPart::Host(at)))?;
    mended.endpoints = without(&spec.endpoints, |at| {
        broken.contains_key(&ObjectPart::Endpoint(at))
    })?;
    (mended.ports.is_empty() == spec.ports.is_empty()).then_some(mended)
}

/// A list in which each refused element is replaced by its previous version, or by what remains of it.
fn with_former<T: Clone>(
    all: &[T],
    former: &[T],
    part: impl Fn(usize) -> ObjectPart,
    broken: &mut Fates,
    is_same: impl Fn(&T, &T) -> bool,
    remains: impl Fn(&T) -> Option<T>,
) -> Vec<T> {
    let places = all.iter().enumerate();
    let left = places.filter_map(|(at, own)| {
        let Some(fate) = broken.get_mut(&part(at)) else {
            return Some(own.clone());
        };
        let Some(before) = former.iter().find(|before| is_same(own, before)) else {
            return remains(own);
        };
        *fate = Fate::Stays;
        Some(before.clone())
    });
    left.collect()
}

/// A list without some of its elements; none if nothing is left.
pub(crate) fn without<T: Clone>(all: &[T], is_broken: impl Fn(usize) -> bool) -> Option<Vec<T>> {
    let places = all.iter().enumerate().filter(|(at, _)| !is_broken(*at));
    let left: Vec<T> = places.map(|(_, own)| own.clone()).collect();
    (left.is_empty() == all.is_empty()).then_some(left)
}
