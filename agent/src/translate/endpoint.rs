//! Endpoints as Envoy's ClusterLoadAssignment.

use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint as EnvoyEndpoint, LbEndpoint, LocalityLbEndpoints,
    lb_endpoint::HostIdentifier,
};
use prost::Message as _;
use sealgate_model::resolved::Endpoint;

use super::wire;
use crate::snapshot::Resource;
use crate::valid::{Valid as _, Violation};

/// The resource of an assignment.
pub(super) fn resource(name: &str, endpoints: &[Endpoint]) -> Result<Resource, Violation> {
    let assignment = assignment(name, endpoints);
    assignment.valid()?;
    Ok(Resource::new(assignment.encode_to_vec()))
}

/// The assignment of the cluster `name`; none at all is said too, so that its requests fail at once with 503.
pub(super) fn assignment(name: &str, endpoints: &[Endpoint]) -> ClusterLoadAssignment {
    let locality = LocalityLbEndpoints {
        lb_endpoints: endpoints.iter().map(lb_endpoint).collect(),
        ..Default::default()
    };
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: if endpoints.is_empty() {
            Vec::new()
        } else {
            vec![locality]
        },
        ..Default::default()
    }
}

fn lb_endpoint(endpoint: &Endpoint) -> LbEndpoint {
    LbEndpoint {
        load_balancing_weight: wire::uint(endpoint.weight.max(1)),
        host_identifier: Some(HostIdentifier::Endpoint(EnvoyEndpoint {
            address: Some(wire::tcp(&endpoint.address, endpoint.port)),
            ..Default::default()
        })),
        ..Default::default()
    }
}
