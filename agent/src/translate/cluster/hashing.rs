//! Endpoints that are chosen by a hash. What is hashed is set in the cluster, not in a route, so that it applies to
//! everything that names the cluster: rules, connections that are passed on as a whole, and mirrors.

use envoy_types::pb::envoy::config::cluster::v3::{LoadBalancingPolicy, load_balancing_policy::Policy};
use envoy_types::pb::envoy::config::route::v3::route_action::{
    HashPolicy,
    hash_policy::{ConnectionProperties, Cookie, CookieAttribute, Header, PolicySpecifier, QueryParameter},
};
use envoy_types::pb::envoy::extensions::load_balancing_policies::common::v3::{
    ConsistentHashingLbConfig, locality_lb_config::LocalityWeightedLbConfig,
};
use envoy_types::pb::envoy::extensions::load_balancing_policies::maglev::v3::Maglev;
use envoy_types::pb::envoy::extensions::load_balancing_policies::ring_hash::v3::RingHash;
use envoy_types::pb::google::protobuf::UInt64Value;
use sealgate_model::resolved::{EndpointSource, Endpoints, HashBalancing, HashTable, HashedValue};

use super::wire;
use crate::valid::Packer;

/// The policy of a cluster with these endpoints.
pub(super) fn policy(own: &HashBalancing, endpoints: &Endpoints, packer: &Packer) -> LoadBalancingPolicy {
    let hashing = Some(ConsistentHashingLbConfig {
        hash_policy: vec![hash_policy(&own.by)],
        ..ConsistentHashingLbConfig::default()
    });
    // Envoy ignores the cluster's own setting with this policy.
    let by_weight = endpoints.by_weight.then(LocalityWeightedLbConfig::default);
    let extension = match own.table {
        HashTable::Ring(least) => {
            let ring = RingHash {
                minimum_ring_size: wire::ulong(least.into()),
                maximum_ring_size: most(least, endpoints),
                locality_weighted_lb_config: by_weight,
                consistent_hashing_lb_config: hashing,
                ..RingHash::default()
            };
            wire::extension(packer, "envoy.load_balancing_policies.ring_hash", &ring)
        }
        HashTable::Maglev(size) => {
            let maglev = Maglev {
                table_size: wire::ulong(size.into()),
                locality_weighted_lb_config: by_weight,
                consistent_hashing_lb_config: hashing,
            };
            wire::extension(packer, "envoy.load_balancing_policies.maglev", &maglev)
        }
    };
    LoadBalancingPolicy {
        policies: vec![Policy {
            typed_extension_config: Some(extension),
        }],
    }
}

/// For a name, DNS decides how many endpoints there are. If they are known, the size is known too.
fn most(least: u32, endpoints: &Endpoints) -> Option<UInt64Value> {
    match endpoints.source {
        EndpointSource::Dns => wire::ulong(HashTable::most_of_dns(least).into()),
        EndpointSource::Pushed | EndpointSource::RoundRobinDns => None,
    }
}

fn attribute((name, value): &(String, String)) -> CookieAttribute {
    CookieAttribute {
        name: name.clone(),
        value: value.clone(),
    }
}

fn hash_policy(by: &HashedValue) -> HashPolicy {
    let specifier = match by {
        HashedValue::Header(name) => PolicySpecifier::Header(Header {
            header_name: name.clone(),
            ..Header::default()
        }),
        HashedValue::Cookie(cookie) => PolicySpecifier::Cookie(Cookie {
            name: cookie.name.clone(),
            path: cookie.path.clone(),
            ttl: cookie.ttl.and_then(wire::duration),
            attributes: cookie.attributes.iter().map(attribute).collect(),
        }),
        HashedValue::SourceIp => {
            PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true })
        }
        HashedValue::QueryParameter(name) => {
            PolicySpecifier::QueryParameter(QueryParameter { name: name.clone() })
        }
    };
    HashPolicy {
        policy_specifier: Some(specifier),
        ..HashPolicy::default()
    }
}
