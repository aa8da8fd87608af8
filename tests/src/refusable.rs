//! Resources that break one rule each, made from valid ones, with the result of our checks.

mod clusters;
mod listeners;

use envoy_types::pb::envoy::config::cluster::v3::{
    Cluster,
    cluster::{ClusterDiscoveryType, DiscoveryType},
};
use envoy_types::pb::envoy::config::core::v3::{
    Address, Http2ProtocolOptions, SocketAddress, TransportSocket, address, socket_address::PortSpecifier,
    transport_socket,
};
use envoy_types::pb::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint::HostIdentifier,
};
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, FilterChainMatch, Listener, filter};
use envoy_types::pb::envoy::config::route::v3::{
    Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost, route, route_action::ClusterSpecifier,
    route_match::PathSpecifier,
};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, http_connection_manager::RouteSpecifier, http_filter,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SubjectAltNameMatcher,
    common_tls_context::ValidationContextType, subject_alt_name_matcher::SanType,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::{
    HttpProtocolOptions,
    http_protocol_options::{
        ExplicitHttpConfig, UpstreamProtocolOptions, explicit_http_config::ProtocolConfig,
    },
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::google::protobuf::{BoolValue, UInt32Value};
use prost::Message as _;
use sealgate_agent::snapshot::TypeUrl;
use sealgate_agent::valid::{Packer, Validity};

pub use self::clusters::CLUSTERS;
pub use self::listeners::{LISTENERS, path, regex};

/// A name, a change that breaks a rule, and the result of our checks.
pub type Spoiled<P> = (&'static str, fn(&mut P), &'static str);

/// A resource, and the result of our checks.
#[derive(Debug)]
pub struct Refusable {
    /// Its type.
    pub kind: TypeUrl,
    /// Its name.
    pub name: String,
    /// The encoded resource.
    pub body: Vec<u8>,
    /// The result of our checks.
    pub said: Validity,
}

/// The parts of a valid cluster, to be changed.
#[derive(Debug)]
pub struct ClusterParts {
    /// All but what follows.
    pub cluster: Cluster,
    /// Its one endpoint.
    pub endpoint: LbEndpoint,
    /// Its protocol options.
    pub protocol: HttpProtocolOptions,
    /// Its options for HTTP/2.
    pub http2: Http2ProtocolOptions,
}

/// The parts of a valid listener, to be changed.
#[derive(Debug)]
pub struct ListenerParts {
    /// All but what follows.
    pub listener: Listener,
    /// Its first chain.
    pub chain: FilterChain,
    /// The chain's connection manager.
    pub manager: HttpConnectionManager,
    /// Its routes.
    pub routes: RouteConfiguration,
    /// The last virtual host, after those in `routes`.
    pub host: VirtualHost,
    /// Its one route.
    pub route: Route,
    /// The route's action.
    pub action: RouteAction,
    /// The last filter.
    pub router: Router,
    /// How the chain terminates TLS.
    pub tls: DownstreamTlsContext,
    /// The requirements for clients' certificates.
    pub trust: CertificateValidationContext,
}

/// A wrapped number.
#[must_use]
pub fn number(value: u32) -> Option<UInt32Value> {
    Some(UInt32Value { value })
}

/// A TCP address.
#[must_use]
pub fn tcp(ip: &str, port: u32) -> Option<Address> {
    Some(Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address: ip.to_owned(),
            port_specifier: Some(PortSpecifier::PortValue(port)),
            ..SocketAddress::default()
        })),
    })
}

/// An endpoint at an address.
#[must_use]
pub fn endpoint(address: Option<Address>) -> LbEndpoint {
    LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(Endpoint {
            address,
            ..Endpoint::default()
        })),
        ..LbEndpoint::default()
    }
}

/// A cluster that `spoil` has made invalid.
#[must_use]
pub fn cluster(name: &str, spoil: impl FnOnce(&mut ClusterParts)) -> Refusable {
    let mut parts = ClusterParts {
        cluster: Cluster {
            name: name.to_owned(),
            cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Static.into())),
            ..Cluster::default()
        },
        endpoint: endpoint(tcp("127.0.0.1", 9)),
        protocol: HttpProtocolOptions::default(),
        http2: Http2ProtocolOptions::default(),
    };
    parts.protocol.upstream_protocol_options = Some(UpstreamProtocolOptions::ExplicitHttpConfig(
        ExplicitHttpConfig::default(),
    ));
    spoil(&mut parts);
    let packer = Packer::checking();
    if let Some(UpstreamProtocolOptions::ExplicitHttpConfig(explicit)) =
        &mut parts.protocol.upstream_protocol_options
    {
        explicit.protocol_config = Some(ProtocolConfig::Http2ProtocolOptions(parts.http2));
    }
    let mut cluster = parts.cluster;
    cluster.load_assignment = Some(ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: vec![parts.endpoint],
            ..LocalityLbEndpoints::default()
        }],
        ..ClusterLoadAssignment::default()
    });
    cluster.typed_extension_protocol_options.insert(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(),
        packer.any(&parts.protocol),
    );
    packer.check(&cluster);
    Refusable {
        kind: TypeUrl::Cluster,
        name: name.to_owned(),
        body: cluster.encode_to_vec(),
        said: packer.verdict(),
    }
}

/// A name that a client's certificate must have.
#[must_use]
pub fn san(kind: SanType) -> SubjectAltNameMatcher {
    SubjectAltNameMatcher {
        san_type: kind.into(),
        matcher: Some(StringMatcher {
            match_pattern: Some(MatchPattern::Exact("a.test".to_owned())),
            ..StringMatcher::default()
        }),
        ..SubjectAltNameMatcher::default()
    }
}

/// A filter chain for these server names that does nothing.
#[must_use]
pub fn chain(server_names: &[&str]) -> FilterChain {
    FilterChain {
        filter_chain_match: Some(FilterChainMatch {
            server_names: server_names.iter().map(|name| (*name).to_owned()).collect(),
            ..FilterChainMatch::default()
        }),
        ..FilterChain::default()
    }
}

fn good_listener(name: &str, own: u32) -> ListenerParts {
    ListenerParts {
        listener: Listener {
            name: name.to_owned(),
            address: tcp("127.1.0.1", own),
            bind_to_port: Some(BoolValue { value: false }),
            ..Listener::default()
        },
        chain: chain(&["a.test"]),
        manager: HttpConnectionManager {
            stat_prefix: "a".to_owned(),
            ..HttpConnectionManager::default()
        },
        routes: RouteConfiguration {
            validate_clusters: Some(BoolValue { value: false }),
            ..RouteConfiguration::default()
        },
        host: VirtualHost {
            name: "a".to_owned(),
            domains: vec!["*".to_owned()],
            ..VirtualHost::default()
        },
        route: Route {
            r#match: Some(RouteMatch {
                path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
                ..RouteMatch::default()
            }),
            ..Route::default()
        },
        action: RouteAction {
            cluster_specifier: Some(ClusterSpecifier::Cluster("a".to_owned())),
            ..RouteAction::default()
        },
        router: Router::default(),
        tls: DownstreamTlsContext {
            common_tls_context: Some(CommonTlsContext::default()),
            ..DownstreamTlsContext::default()
        },
        trust: CertificateValidationContext {
            match_typed_subject_alt_names: Vec::new(),
            ..CertificateValidationContext::default()
        },
    }
}

/// A listener that `spoil` has made invalid. `own` is a port that no other listener has.
#[must_use]
pub fn listener(name: &str, own: u32, spoil: impl FnOnce(&mut ListenerParts)) -> Refusable {
    let mut parts = good_listener(name, own);
    spoil(&mut parts);
    let packer = Packer::checking();
    if parts.route.action.is_none() {
        parts.route.action = Some(route::Action::Route(parts.action));
    }
    parts.host.routes.push(parts.route);
    parts.routes.virtual_hosts.push(parts.host);
    let mut manager = parts.manager;
    manager.route_specifier = Some(RouteSpecifier::RouteConfig(parts.routes));
    manager.http_filters.push(HttpFilter {
        name: "envoy.filters.http.router".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(packer.any(&parts.router))),
        ..HttpFilter::default()
    });
    let manager = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(packer.any(&manager))),
    };
    let is_tls = parts.trust != CertificateValidationContext::default()
        || parts.tls.common_tls_context != Some(CommonTlsContext::default());
    let mut tls = parts.tls;
    if let Some(common) = &mut tls.common_tls_context {
        common.validation_context_type = Some(ValidationContextType::ValidationContext(parts.trust));
    }
    parts.chain.transport_socket = is_tls.then(|| TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(transport_socket::ConfigType::TypedConfig(packer.any(&tls))),
    });
    let mut listener = parts.listener;
    for mut other in std::mem::take(&mut listener.filter_chains) {
        other.filters = vec![manager.clone()];
        listener.filter_chains.push(other);
    }
    parts.chain.filters = vec![manager];
    listener.filter_chains.push(parts.chain);
    packer.check(&listener);
    Refusable {
        kind: TypeUrl::Listener,
        name: name.to_owned(),
        body: listener.encode_to_vec(),
        said: packer.verdict(),
    }
}
