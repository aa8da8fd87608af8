//! Destinations as upstreams: which service a host names, which of its ports, where its endpoints are.

mod endpoints;

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Endpoints as CoreEndpoints, Service, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use sealgate_core::config::{Destination, DestinationRuleSpec, ServiceEntryPort, ServiceEntrySpec};
use sealgate_model::resolved::{Endpoint, Endpoints, Upstream};
use sealgate_model::{Code, Finding, Meta, Object, ObjectRef, Severity};

use self::endpoints::{from_endpoints, from_slice};
use super::bind::is_exported;
use crate::state::State;

const SERVICE_SUFFIX: &str = "svc.cluster.local";
const SLICE_LABEL: &str = "kubernetes.io/service-name";

/// Namespace and name.
type Key<'a> = (&'a str, &'a str);

/// Collects the upstreams while routes are made.
#[derive(Default)]
pub(super) struct Destinations<'a> {
    /// By host, lower-case; of several the first in order stands.
    entries: HashMap<String, &'a ServiceEntrySpec>,
    services: HashMap<Key<'a>, (&'a Meta, &'a Service)>,
    /// By their Service.
    slices: HashMap<Key<'a>, Vec<&'a EndpointSlice>>,
    endpoints: HashMap<Key<'a>, &'a CoreEndpoints>,
    /// By host.
    rules: HashMap<String, Vec<&'a DestinationRuleSpec>>,
    upstreams: BTreeMap<String, Upstream>,
    findings: Vec<Finding>,
}

impl<'a> Destinations<'a> {
    /// Those that a gateway of `namespace` sees.
    pub(super) fn new(state: &'a State, namespace: &str) -> Self {
        let mut destinations = Self::default();
        state
            .objects()
            .filter(|object| is_visible(object, namespace))
            .for_each(|object| destinations.add(object));
        destinations
    }

    fn add(&mut self, object: &'a Object) {
        match object {
            Object::ServiceEntry(_, spec) => {
                for host in &spec.hosts {
                    self.entries.entry(host.to_ascii_lowercase()).or_insert(spec);
                }
            }
            Object::Service(meta, service) => {
                self.services
                    .insert((&meta.namespace, &meta.name), (meta, service));
            }
            Object::EndpointSlice(meta, slice) => {
                if let Some(service) = meta.labels.get(SLICE_LABEL) {
                    self.slices
                        .entry((&meta.namespace, service))
                        .or_default()
                        .push(slice);
                }
            }
            Object::Endpoints(meta, endpoints) => {
                self.endpoints.insert((&meta.namespace, &meta.name), endpoints);
            }
            Object::DestinationRule(meta, spec) => {
                let host = full_name(&spec.host, &meta.namespace);
                self.rules.entry(host).or_default().push(spec);
            }
            Object::Secret(_) | Object::Gateway(..) | Object::VirtualService(..) => {}
        }
    }

    pub(super) fn finish(self) -> (Vec<Upstream>, Vec<Finding>) {
        (self.upstreams.into_values().collect(), self.findings)
    }

    /// The cluster of a destination that an object of `namespace` names.
    pub(super) fn cluster(
        &mut self,
        to: &Destination,
        place: &ObjectRef,
        namespace: &str,
        listener: u16,
    ) -> String {
        let host = full_name(&to.host, namespace);
        let subset = to.subset.as_deref().unwrap_or_default();
        let port = match &to.port {
            Some(port) => port.number,
            None => self.default_port(&host, place, listener),
        };
        let name = format!("outbound|{port}|{subset}|{host}");
        if !self.upstreams.contains_key(&name) {
            let upstream = self.upstream(&name, &host, port, subset, place);
            self.upstreams.insert(name.clone(), upstream);
        }
        name
    }

    fn say(&mut self, place: &ObjectRef, code: Code, message: String) {
        let finding = Finding {
            severity: Severity::Warning,
            code,
            object: place.clone(),
            field: None,
            message,
        };
        self.findings.push(finding);
    }

    /// The service's only port; of several the listener's.
    fn default_port(&mut self, host: &str, place: &ObjectRef, listener: u16) -> u32 {
        let ports: Vec<u32> = match (self.entry(host), self.service(host)) {
            (Some(entry), _) => entry.ports.iter().map(|port| port.number).collect(),
            (None, Some((_, service))) => ports(service)
                .iter()
                .filter_map(|port| u32::try_from(port.port).ok())
                .collect(),
            (None, None) => Vec::new(),
        };
        if let [only] = ports.as_slice() {
            return *only;
        }
        if !ports.is_empty() {
            self.say(
                place,
                Code::AmbiguousPort,
                format!("{host} has several ports and the destination names none: {listener} is taken"),
            );
        }
        listener.into()
    }

    fn entry(&self, host: &str) -> Option<&'a ServiceEntrySpec> {
        self.entries.get(host).copied()
    }

    fn service(&self, host: &str) -> Option<(&'a Meta, &'a Service)> {
        let (name, namespace) = host
            .strip_suffix(SERVICE_SUFFIX)?
            .strip_suffix('.')?
            .split_once('.')?;
        self.services.get(&(namespace, name)).copied()
    }

    fn upstream(&mut self, name: &str, host: &str, port: u32, subset: &str, place: &ObjectRef) -> Upstream {
        let labels = self.subset(host, subset, place);
        if let Some(entry) = self.entry(host) {
            return from_entry(name, entry, host, port, &labels, self, place);
        }
        if let Some((meta, service)) = self.service(host) {
            if !labels.is_empty() {
                self.say(
                    place,
                    Code::SubsetNotCarriedOut,
                    format!(
                        "{host}: subsets select endpoints of a ServiceEntry alone; all endpoints are used"
                    ),
                );
            }
            return self.of_service(name, (meta, service), host, port, place);
        }
        self.say(
            place,
            Code::UnknownDestination,
            format!("there is no Service or ServiceEntry {host}: its requests are answered with 503"),
        );
        Upstream {
            name: name.to_owned(),
            http2: false,
            endpoints: Endpoints::Known(Vec::new()),
        }
    }

    fn subset(&mut self, host: &str, subset: &str, place: &ObjectRef) -> BTreeMap<String, String> {
        if subset.is_empty() {
            return BTreeMap::new();
        }
        let rules = self.rules.get(host).into_iter().flatten();
        let found = rules
            .flat_map(|rule| &rule.subsets)
            .find(|own| own.name == subset);
        match found {
            Some(found) => found.labels.clone(),
            None => {
                self.say(
                    place,
                    Code::UnknownSubset,
                    format!("no DestinationRule has a subset {subset} of {host}: all endpoints are used"),
                );
                BTreeMap::new()
            }
        }
    }

    fn of_service(
        &mut self,
        name: &str,
        (meta, service): (&Meta, &Service),
        host: &str,
        port: u32,
        place: &ObjectRef,
    ) -> Upstream {
        let upstream = |http2, endpoints| Upstream {
            name: name.to_owned(),
            http2,
            endpoints,
        };
        let Some(own) = ports(service)
            .iter()
            .find(|own| u32::try_from(own.port) == Ok(port))
        else {
            self.say(
                place,
                Code::UnknownPort,
                format!("Service {}/{} has no port {port}", meta.namespace, meta.name),
            );
            return upstream(false, Endpoints::Known(Vec::new()));
        };
        let protocol = own
            .app_protocol
            .as_deref()
            .or(own.name.as_deref())
            .unwrap_or_default();
        let http2 = is_http2(protocol);
        let key = (meta.namespace.as_str(), meta.name.as_str());
        if let Some(slices) = self.slices.get(&key) {
            let endpoints = slices.iter().flat_map(|slice| from_slice(slice, own));
            return upstream(http2, known(endpoints.collect()));
        }
        if let Some(endpoints) = self.endpoints.get(&key) {
            return upstream(http2, known(from_endpoints(endpoints, own)));
        }
        let external = service.spec.as_ref().and_then(|spec| spec.external_name.clone());
        let address = external.unwrap_or_else(|| host.to_owned());
        let endpoint = port_number(port).map(|port| Endpoint {
            address,
            port,
            weight: 1,
        });
        upstream(http2, Endpoints::Dns(endpoint.into_iter().collect()))
    }
}

fn is_visible(object: &Object, namespace: &str) -> bool {
    let export_to = match object {
        Object::ServiceEntry(_, spec) => &spec.export_to,
        Object::DestinationRule(_, spec) => &spec.export_to,
        _ => return true,
    };
    is_exported(export_to, &object.meta().namespace, namespace)
}

/// A name without a dot is a Service of the object's own namespace, as in Istio.
pub(super) fn full_name(host: &str, namespace: &str) -> String {
    let host = host.to_ascii_lowercase();
    if host.contains('.') {
        host
    } else {
        format!("{host}.{namespace}.{SERVICE_SUFFIX}")
    }
}

fn is_http2(protocol: &str) -> bool {
    let protocol = protocol.to_ascii_lowercase();
    protocol == "kubernetes.io/h2c" || protocol.starts_with("http2") || protocol.starts_with("grpc")
}

fn port_number(port: u32) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port > 0)
}

fn known(mut endpoints: Vec<Endpoint>) -> Endpoints {
    endpoints.sort();
    endpoints.dedup();
    Endpoints::Known(endpoints)
}

fn ports(service: &Service) -> &[ServicePort] {
    service
        .spec
        .as_ref()
        .and_then(|spec| spec.ports.as_deref())
        .unwrap_or_default()
}

fn from_entry(
    name: &str,
    entry: &ServiceEntrySpec,
    host: &str,
    port: u32,
    labels: &BTreeMap<String, String>,
    destinations: &mut Destinations<'_>,
    place: &ObjectRef,
) -> Upstream {
    let Some(own) = entry.ports.iter().find(|own| own.number == port) else {
        destinations.say(
            place,
            Code::UnknownPort,
            format!("ServiceEntry {host} has no port {port}"),
        );
        return Upstream {
            name: name.to_owned(),
            http2: false,
            endpoints: Endpoints::Known(Vec::new()),
        };
    };
    let selected = entry.endpoints.iter().filter(|endpoint| {
        labels
            .iter()
            .all(|(key, value)| endpoint.labels.get(key) == Some(value))
    });
    let mut endpoints: Vec<Endpoint> = selected
        .filter_map(|endpoint| {
            Some(Endpoint {
                address: endpoint.address.clone(),
                port: port_number(
                    endpoint
                        .ports
                        .get(&own.name)
                        .copied()
                        .unwrap_or_else(|| target(own)),
                )?,
                weight: endpoint.weight.unwrap_or(1),
            })
        })
        .collect();
    let addresses = endpoints
        .iter()
        .all(|endpoint| endpoint.address.parse::<std::net::IpAddr>().is_ok());
    let is_static = entry.resolution.as_deref() == Some("STATIC") && addresses;
    if !is_static && endpoints.is_empty() {
        endpoints.extend(port_number(target(own)).map(|port| Endpoint {
            address: host.to_owned(),
            port,
            weight: 1,
        }));
    }
    Upstream {
        name: name.to_owned(),
        http2: is_http2(&own.protocol),
        endpoints: if is_static {
            known(endpoints)
        } else {
            Endpoints::Dns(endpoints)
        },
    }
}

fn target(port: &ServiceEntryPort) -> u32 {
    port.target_port.unwrap_or(port.number)
}
