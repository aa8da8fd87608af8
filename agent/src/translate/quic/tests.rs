use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{
    address, socket_address::Protocol, transport_socket::ConfigType,
};
use envoy_types::pb::envoy::config::listener::v3::filter;
use prost::Message as _;
use sealgate_model::CredentialName;
use sealgate_model::resolved::{ClientCertificate, Meaning, TlsVersion};

use super::super::listener::{Transport, resource};
use super::*;

fn chain(name: &str, hosts: &[&str], http3: bool) -> Arc<FilterChain> {
    let tls = Tls {
        certificates: vec![CredentialName::new("gw", name)],
        client: ClientCertificate::None,
        min_version: TlsVersion::V1_2,
        max_version: TlsVersion::V1_3,
        cipher_suites: Vec::new(),
    };
    Arc::new(FilterChain {
        name: name.into(),
        server_names: hosts.iter().map(|host| Arc::from(*host)).collect(),
        policy: Some(tls.policy()),
        tls: Some(Arc::new(tls)),
        http3,
        ..FilterChain::plain(Meaning::default())
    })
}

fn port(chains: Vec<Arc<FilterChain>>) -> Arc<ServedPort> {
    Arc::new(ServedPort {
        number: 443,
        bind: 8443,
        chains,
        told: Vec::new(),
        demands: false,
        prefixes: BTreeSet::new(),
        mirrors: Vec::new(),
        delays: false,
    })
}

fn listener(port: &Arc<ServedPort>) -> Listener {
    let made = resource(port, "127.0.0.1", HttpSettings::default(), Transport::Quic).unwrap();
    Listener::decode(made.body().as_slice()).unwrap()
}

#[test]
fn it_has_the_chains_with_http3_alone_on_udp() {
    let port = port(vec![
        chain("a", &["a.test"], true),
        chain("b", &["b.test"], false),
    ]);
    let listener = listener(&port);
    let names: Vec<_> = listener.filter_chains.iter().map(|own| &*own.name).collect();
    assert_eq!(names, ["a"]);
    let Some(address::Address::SocketAddress(address)) = listener.address.unwrap().address else {
        panic!("no address");
    };
    assert_eq!(address.protocol(), Protocol::Udp);
    assert!(listener.listener_filters.is_empty());
}

#[test]
fn no_request_comes_before_its_handshake_is_done() {
    let listener = listener(&port(vec![chain("a", &["a.test"], true)]));
    let socket = listener.filter_chains[0].transport_socket.clone().unwrap();
    let Some(ConfigType::TypedConfig(any)) = socket.config_type else {
        panic!("no configuration");
    };
    let transport = QuicDownstreamTransport::decode(any.value.as_slice()).unwrap();
    assert!(!transport.enable_early_data.unwrap().value);
}

#[test]
fn requests_meet_the_filters_and_the_guard_that_they_meet_over_tcp() {
    let port = port(vec![chain("a", &["a.test"], true)]);
    let settings = HttpSettings::default();
    let packer = Packer::checking();
    let over_tcp = connection_manager::build(&port, &port.chains[0], &settings, &packer);
    let listener = listener(&port);
    let last = listener.filter_chains[0].filters.last().unwrap();
    let Some(filter::ConfigType::TypedConfig(any)) = &last.config_type else {
        panic!("no configuration");
    };
    let over_quic = HttpConnectionManager::decode(any.value.as_slice()).unwrap();
    let as_over_tcp = HttpConnectionManager {
        codec_type: over_tcp.codec_type,
        http2_protocol_options: over_tcp.http2_protocol_options.clone(),
        http3_protocol_options: None,
        ..over_quic
    };
    assert_eq!(as_over_tcp, over_tcp);
}
