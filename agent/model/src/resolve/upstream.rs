//! A destination as an upstream: which service it is, which of its ports, where its endpoints are.

mod endpoints;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use sealgate_core::config::{ServiceEntryPort, ServiceEntrySpec};

use self::endpoints::{from_endpoints, from_slice};
use super::addresses::AddressPolicy;
use super::catalog::{Known, service_ports};
use super::lowered::{Spot, Use};
use crate::Code;
use crate::Meta;
use crate::resolved::{Endpoint, Endpoints, Upstream};
use crate::tenancy::Tenancy;
use crate::validate;

/// What is to be said of each VirtualService that names the destination.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    pub(super) code: Code,
    message: String,
    /// Whether nothing is sent there.
    is_lost: bool,
}

impl Doubt {
    pub(super) fn new(code: Code, message: String) -> Self {
        let is_lost = false;
        Self {
            code,
            message,
            is_lost,
        }
    }

    /// One of a destination to which nothing is sent.
    pub(super) fn lost(code: Code, message: String) -> Self {
        let is_lost = true;
        Self {
            code,
            message,
            is_lost,
        }
    }

    /// For a VirtualService that names the destination there.
    pub(super) fn message(&self, spot: Spot) -> String {
        let effect = match (self.is_lost, spot.is_mirror) {
            (false, _) => "",
            (true, false) => ": its requests are answered with 503",
            (true, true) => ": copies of requests go nowhere",
        };
        format!("{}{effect}", self.message)
    }
}

type Doubts = Vec<Doubt>;

/// So many endpoints that are left out are named.
const MOST_NAMED: usize = 5;

/// The upstream of a destination.
pub(super) fn upstream(
    of: &Use,
    known: Option<&Known>,
    tenancy: Tenancy,
    policy: &AddressPolicy,
) -> (Upstream, Doubts) {
    let mut doubts = Doubts::new();
    let nothing = Known::default();
    let known = known.unwrap_or(&nothing);
    let labels = subset(of, known, tenancy, &mut doubts);
    let (http2, endpoints) = if let Some(entry) = known.entry() {
        of_entry(of, entry, &labels, &mut doubts)
    } else if let Some((meta, service)) = &known.service {
        if !labels.is_empty() {
            let message = format!(
                "{}: subsets select endpoints of a ServiceEntry alone; all endpoints are used",
                of.host
            );
            doubts.push(Doubt::new(Code::SubsetNotCarriedOut, message));
        }
        of_service(of, meta, service, known, &mut doubts)
    } else {
        let message = format!("there is no Service or ServiceEntry {}", of.host);
        doubts.push(Doubt::lost(Code::UnknownDestination, message));
        (false, Endpoints::Known(Vec::new()))
    };
    let mut refused = Vec::new();
    let endpoints = if known.asks_for_tls(&of.subset, of.port, tenancy) {
        let message = format!(
            "a DestinationRule asks for TLS to {} at port {}, which is not carried out",
            of.host, of.port
        );
        doubts.push(Doubt::lost(Code::UpstreamTls, message));
        Endpoints::Known(Vec::new())
    } else {
        endpoints
    };
    let endpoints = policy.filter(endpoints, &mut refused);
    doubts.extend(barred(&of.host, &refused).map(|message| Doubt::new(Code::BarredAddress, message)));
    let upstream = Upstream {
        name: Arc::clone(&of.cluster),
        http2,
        endpoints,
    };
    (upstream, doubts)
}

/// What is said of endpoints that are left out: the first few by name.
fn barred(host: &str, refused: &[String]) -> Option<String> {
    let (named, rest) = refused.split_at_checked(MOST_NAMED).unwrap_or((refused, &[]));
    let named = named.join("; ");
    match (refused.len(), rest.len()) {
        (0, _) => None,
        (_, 0) => Some(format!("{host}: no request is sent to {named}")),
        (_, more) => Some(format!(
            "{host}: no request is sent to {named}; nor to {more} more"
        )),
    }
}

fn subset(of: &Use, known: &Known, tenancy: Tenancy, doubts: &mut Doubts) -> BTreeMap<String, String> {
    if of.subset.is_empty() {
        return BTreeMap::new();
    }
    if let Some(subset) = known.subset(&of.subset, tenancy) {
        return subset.labels.clone();
    }
    let message = format!(
        "no DestinationRule has a subset {} of {}: all endpoints are used",
        of.subset, of.host
    );
    doubts.push(Doubt::new(Code::UnknownSubset, message));
    BTreeMap::new()
}

fn of_service(
    of: &Use,
    meta: &Meta,
    service: &Service,
    known: &Known,
    doubts: &mut Doubts,
) -> (bool, Endpoints) {
    let mut ports = service_ports(service).iter();
    let Some(own) = ports.find(|own| u32::try_from(own.port) == Ok(of.port)) else {
        let message = format!("Service {}/{} has no port {}", meta.namespace, meta.name, of.port);
        doubts.push(Doubt::lost(Code::UnknownPort, message));
        return (false, Endpoints::Known(Vec::new()));
    };
    let protocol = own.app_protocol.as_deref().or(own.name.as_deref());
    let http2 = is_http2(protocol.unwrap_or_default());
    if !known.slices.is_empty() {
        let endpoints = known.slices.iter().flat_map(|(_, slice)| from_slice(slice, own));
        return (http2, sorted(endpoints.collect()));
    }
    if let Some(endpoints) = &known.endpoints {
        return (http2, sorted(from_endpoints(endpoints, own)));
    }
    let external = service.spec.as_ref().and_then(|spec| spec.external_name.clone());
    if let Some(name) = external.as_deref().filter(|name| !is_dns_name(name)) {
        let message = format!(
            "Service {}/{}: externalName {name:?} is not a DNS name",
            meta.namespace, meta.name
        );
        doubts.push(Doubt::lost(Code::BadHost, message));
        return (false, Endpoints::Known(Vec::new()));
    }
    let endpoint = port_number(of.port).map(|port| Endpoint {
        address: external.unwrap_or_else(|| of.host.to_string()),
        port,
        weight: 1,
    });
    (http2, Endpoints::Dns(endpoint.into_iter().collect()))
}

fn of_entry(
    of: &Use,
    entry: &ServiceEntrySpec,
    labels: &BTreeMap<String, String>,
    doubts: &mut Doubts,
) -> (bool, Endpoints) {
    let Some(own) = entry.ports.iter().find(|own| own.number == of.port) else {
        let message = format!("ServiceEntry {} has no port {}", of.host, of.port);
        doubts.push(Doubt::lost(Code::UnknownPort, message));
        return (false, Endpoints::Known(Vec::new()));
    };
    let mut endpoints = selected(entry, own, labels);
    let is_address = |endpoint: &Endpoint| endpoint.address.parse::<IpAddr>().is_ok();
    let is_static = entry.resolution.as_deref() == Some("STATIC") && endpoints.iter().all(is_address);
    if !is_static && endpoints.is_empty() {
        endpoints.extend(port_number(target(own)).map(|port| Endpoint {
            address: of.host.to_string(),
            port,
            weight: 1,
        }));
    }
    let endpoints = if is_static {
        sorted(endpoints)
    } else {
        Endpoints::Dns(endpoints)
    };
    (is_http2(&own.protocol), endpoints)
}

/// The endpoints of a ServiceEntry's port that have all of these labels.
fn selected(
    entry: &ServiceEntrySpec,
    own: &ServiceEntryPort,
    labels: &BTreeMap<String, String>,
) -> Vec<Endpoint> {
    let has = |endpoint: &&sealgate_core::config::WorkloadEntry| {
        let mut labels = labels.iter();
        labels.all(|(key, value)| endpoint.labels.get(key) == Some(value))
    };
    let selected = entry.endpoints.iter().filter(has);
    selected
        .filter_map(|endpoint| {
            let port = endpoint.ports.get(&own.name).copied();
            Some(Endpoint {
                address: endpoint.address.clone(),
                port: port_number(port.unwrap_or_else(|| target(own)))?,
                weight: endpoint.weight.unwrap_or(1),
            })
        })
        .collect()
}

fn target(port: &ServiceEntryPort) -> u32 {
    port.target_port.unwrap_or(port.number)
}

/// As the API server wants it; an address is none.
fn is_dns_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    validate::is_name_of_host(&name) && name.parse::<IpAddr>().is_err()
}

fn is_http2(protocol: &str) -> bool {
    let protocol = protocol.to_ascii_lowercase();
    protocol == "kubernetes.io/h2c" || protocol.starts_with("http2") || protocol.starts_with("grpc")
}

fn port_number(port: u32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port > 0)
}

fn sorted(mut endpoints: Vec<Endpoint>) -> Endpoints {
    endpoints.sort();
    endpoints.dedup();
    Endpoints::Known(endpoints)
}
