//! Endpoints as Envoy's ClusterLoadAssignment.

use envoy_types::pb::envoy::config::core::v3::{HealthStatus, Locality as EnvoyLocality};
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint as EnvoyEndpoint, LbEndpoint, LocalityLbEndpoints,
    lb_endpoint::HostIdentifier,
};
use prost::Message as _;
use sealgate_model::locality::Locality;
use sealgate_model::resolved::{Endpoint, EndpointGroup, EndpointHealth};

use super::wire;
use crate::snapshot::Resource;
use crate::valid::{Valid as _, Violation};

/// The resource of an assignment.
pub(super) fn resource(name: &str, groups: &[EndpointGroup]) -> Result<Resource, Violation> {
    let assignment = assignment(name, groups);
    assignment.valid()?;
    Ok(Resource::new(assignment.encode_to_vec()))
}

/// The assignment of the cluster `name`. It is also sent without endpoints, so that requests fail immediately with 503.
pub(super) fn assignment(name: &str, groups: &[EndpointGroup]) -> ClusterLoadAssignment {
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: groups.iter().map(group).collect(),
        ..Default::default()
    }
}

/// Weights are set even if they do not count yet, so that a cluster that starts to count them never has a group without
/// one.
fn group(group: &EndpointGroup) -> LocalityLbEndpoints {
    LocalityLbEndpoints {
        locality: Some(locality(&group.locality)),
        lb_endpoints: group.endpoints.iter().map(lb_endpoint).collect(),
        load_balancing_weight: wire::uint(group.weight),
        priority: group.priority,
        ..Default::default()
    }
}

fn locality(locality: &Locality) -> EnvoyLocality {
    EnvoyLocality {
        region: locality.region.clone(),
        zone: locality.zone.clone(),
        sub_zone: locality.sub_zone.clone(),
    }
}

fn lb_endpoint(endpoint: &Endpoint) -> LbEndpoint {
    LbEndpoint {
        load_balancing_weight: wire::uint(endpoint.weight.max(1)),
        health_status: match endpoint.health {
            EndpointHealth::Ready => HealthStatus::Unknown.into(),
            EndpointHealth::NotReady => HealthStatus::Unhealthy.into(),
        },
        host_identifier: Some(HostIdentifier::Endpoint(EnvoyEndpoint {
            address: Some(wire::tcp(&endpoint.address, endpoint.port)),
            ..Default::default()
        })),
        ..Default::default()
    }
}
