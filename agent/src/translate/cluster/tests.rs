use envoy_types::pb::envoy::config::cluster::v3::cluster::LbPolicy;
use envoy_types::pb::envoy::extensions::load_balancing_policies::maglev::v3::Maglev;
use envoy_types::pb::envoy::extensions::load_balancing_policies::ring_hash::v3::RingHash;
use envoy_types::pb::google::protobuf::Any;
use sealgate_model::resolved::{
    Balancing, Ejection, Endpoints, HashBalancing, HashTable, HashedCookie, HashedValue, PoolLimits,
    ProxyProtocolVersion, UpstreamTls, UpstreamTrust,
};

use super::*;

fn cluster(policy: Option<UpstreamPolicy>) -> Cluster {
    let upstream = Upstream {
        name: "outbound|80||a".into(),
        http2: false,
        policy: policy.map(Box::new),
        endpoints: Endpoints::default(),
    };
    let limits = EnvoyLimits::default();
    assert!(resource(&upstream, &limits).is_ok(), "Envoy would reject it");
    build(&upstream, &limits, &Packer::checking())
}

#[test]
fn a_policy_replaces_our_limits_one_by_one() {
    let own = cluster(None);
    assert_eq!(own.lb_policy, i32::from(LbPolicy::LeastRequest));
    assert!(own.outlier_detection.is_none() && own.transport_socket.is_none());
    let policy = UpstreamPolicy {
        balancing: Balancing::Random,
        pool: PoolLimits {
            connections: Some(1),
            ..PoolLimits::default()
        },
        ..UpstreamPolicy::default()
    };
    let policed = cluster(Some(policy));
    assert_eq!(policed.lb_policy, i32::from(LbPolicy::Random));
    let breakers = |cluster: &Cluster| cluster.circuit_breakers.clone().unwrap().thresholds.remove(0);
    assert_eq!(breakers(&policed).max_connections, wire::uint(1));
    assert_eq!(breakers(&policed).max_requests, breakers(&own).max_requests);
    assert_eq!(policed.connect_timeout, own.connect_timeout);
}

#[test]
fn errors_in_a_row_are_enforced_unless_they_are_none() {
    let policy = UpstreamPolicy {
        ejection: Some(Ejection {
            server_errors: Some(0),
            gateway_errors: Some(3),
            ..Ejection::default()
        }),
        ..UpstreamPolicy::default()
    };
    let own = cluster(Some(policy));
    let ejection = own.outlier_detection.unwrap();
    assert_eq!(ejection.enforcing_consecutive_5xx, wire::uint(0));
    assert_eq!(ejection.enforcing_consecutive_gateway_failure, wire::uint(100));
    assert_eq!(ejection.enforcing_success_rate, wire::uint(0));
    let panic = own.common_lb_config.unwrap().healthy_panic_threshold.unwrap();
    assert!(panic.value == 0.0, "{panic:?}");
}

#[test]
fn the_clients_address_stands_before_tls() {
    let tls = UpstreamTls {
        certificate: None,
        trust: UpstreamTrust::Public,
        sni: None,
        subject_alt_names: Vec::new(),
    };
    let with = |proxy_protocol| UpstreamPolicy {
        tls: Some(tls.clone()),
        proxy_protocol,
        ..UpstreamPolicy::default()
    };
    let name = |policy| cluster(Some(policy)).transport_socket.unwrap().name;
    assert_eq!(name(with(None)), "envoy.transport_sockets.tls");
    let wrapped = name(with(Some(ProxyProtocolVersion::V2)));
    assert_eq!(wrapped, "envoy.transport_sockets.upstream_proxy_protocol");
}

/// The extension of a cluster that hashes.
fn hashing(by: HashedValue, table: HashTable) -> Any {
    let own = cluster(Some(UpstreamPolicy {
        balancing: Balancing::Hash(HashBalancing { by, table }),
        ..UpstreamPolicy::default()
    }));
    assert_eq!(own.lb_policy, i32::from(LbPolicy::LoadBalancingPolicyConfig));
    let mut policies = own.load_balancing_policy.unwrap().policies;
    policies
        .remove(0)
        .typed_extension_config
        .unwrap()
        .typed_config
        .unwrap()
}

#[test]
fn what_is_hashed_stands_in_the_cluster() {
    let ring = hashing(HashedValue::Header("x-user".to_owned()), HashTable::Ring(7));
    let ring = RingHash::decode(&*ring.value).unwrap();
    assert_eq!(ring.minimum_ring_size, wire::ulong(7));
    assert_eq!(ring.maximum_ring_size, None);
    assert_eq!(ring.consistent_hashing_lb_config.unwrap().hash_policy.len(), 1);
    let cookie = HashedValue::Cookie(HashedCookie {
        name: "user".to_owned(),
        path: String::new(),
        ttl: None,
        attributes: Vec::new(),
    });
    let maglev = Maglev::decode(&*hashing(cookie, HashTable::Maglev(11)).value).unwrap();
    assert_eq!(maglev.table_size, wire::ulong(11));
    let policies = maglev.consistent_hashing_lb_config.unwrap().hash_policy;
    assert!(format!("{policies:?}").contains("ttl: None"), "{policies:?}");
}
