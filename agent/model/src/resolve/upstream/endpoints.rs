//! The endpoints of a Service's port, from its slices or from the older Endpoints.

use k8s_openapi::api::core::v1::{Endpoints as CoreEndpoints, ServicePort};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::resolved::Endpoint;

pub(super) fn from_slice(slice: &EndpointSlice, own: &ServicePort) -> Vec<Endpoint> {
    let ports = slice.ports.as_deref().unwrap_or_default();
    let name = own.name.as_deref().unwrap_or_default();
    let named = ports
        .iter()
        .find(|port| port.name.as_deref().unwrap_or_default() == name);
    let Some(port) = named
        .and_then(|port| port.port)
        .and_then(|port| u16::try_from(port).ok())
    else {
        return Vec::new();
    };
    let ready = slice
        .endpoints
        .iter()
        .flat_map(|list| list.iter())
        .filter(|endpoint| {
            endpoint
                .conditions
                .as_ref()
                .and_then(|conditions| conditions.ready)
                .unwrap_or(true)
        });
    ready
        .flat_map(|endpoint| &endpoint.addresses)
        .filter(|address| address.parse::<std::net::IpAddr>().is_ok())
        .map(|address| Endpoint {
            address: address.clone(),
            port,
            weight: 1,
        })
        .collect()
}

pub(super) fn from_endpoints(endpoints: &CoreEndpoints, own: &ServicePort) -> Vec<Endpoint> {
    let mut all = Vec::new();
    for subset in endpoints.subsets.iter().flatten() {
        let name = own.name.as_deref().unwrap_or_default();
        let named = subset
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref().unwrap_or_default() == name);
        let target = match &own.target_port {
            Some(IntOrString::Int(port)) => Some(*port),
            _ => None,
        };
        let Some(port) = named
            .map(|port| port.port)
            .or(target)
            .and_then(|port| u16::try_from(port).ok())
        else {
            continue;
        };
        let addresses = subset.addresses.iter().flatten();
        let addresses = addresses.filter(|address| address.ip.parse::<std::net::IpAddr>().is_ok());
        all.extend(addresses.map(|address| Endpoint {
            address: address.ip.clone(),
            port,
            weight: 1,
        }));
    }
    all
}
