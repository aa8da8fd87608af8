//! Certificates that a proxy asks for by SNI, when a handshake needs them. They have a separate source, because a name
//! that something else also asks for would hang on the aggregated stream.

use envoy_types::pb::envoy::config::core::v3::{
    ApiConfigSource, ApiVersion, BackoffStrategy, ConfigSource, GrpcService, HeaderValue, RetryPolicy,
    TypedExtensionConfig,
    api_config_source::ApiType,
    config_source::ConfigSourceSpecifier,
    grpc_service::{EnvoyGrpc, TargetSpecifier},
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::cert_mappers::sni::v3::Sni;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::cert_selectors::on_demand_secret::v3::Config;
use envoy_types::pb::google::protobuf::Duration;
use sealgate_model::resolve::chain_id;
use sealgate_model::resolved::FilterChain;

use super::wire;
use crate::snapshot::{CHAIN_HEADER, NO_SNI};
use crate::valid::Packer;

/// The agent's cluster, as `sealgate bootstrap` names it.
const CLUSTER: &str = "sealgate";
/// As in the bootstrap.
const RETRY_BASE_MS: i32 = 100;
const RETRY_MOST_S: i64 = 1;

/// The selector of a chain. Each of its streams names the chain, because other chains may have the same names.
pub(super) fn selector(port: u16, chain: &FilterChain, packer: &Packer) -> TypedExtensionConfig {
    let mapper = Sni {
        default_value: NO_SNI.to_owned(),
    };
    let config = Config {
        config_source: Some(source(&chain_id(port, &chain.name))),
        certificate_mapper: Some(wire::extension(
            packer,
            "envoy.tls.certificate_mappers.sni",
            &mapper,
        )),
        ..Config::default()
    };
    wire::extension(
        packer,
        "envoy.tls.certificate_selectors.on_demand_secret",
        &config,
    )
}

fn source(chain: &str) -> ConfigSource {
    let grpc = EnvoyGrpc {
        cluster_name: CLUSTER.to_owned(),
        retry_policy: Some(RetryPolicy {
            retry_back_off: Some(BackoffStrategy {
                base_interval: Some(Duration {
                    seconds: 0,
                    nanos: RETRY_BASE_MS * 1_000_000,
                }),
                max_interval: wire::seconds(RETRY_MOST_S),
            }),
            ..RetryPolicy::default()
        }),
        ..EnvoyGrpc::default()
    };
    let service = GrpcService {
        initial_metadata: vec![HeaderValue {
            key: CHAIN_HEADER.to_owned(),
            value: chain.to_owned(),
            ..HeaderValue::default()
        }],
        target_specifier: Some(TargetSpecifier::EnvoyGrpc(grpc)),
        ..GrpcService::default()
    };
    let api = ApiConfigSource {
        api_type: ApiType::DeltaGrpc.into(),
        transport_api_version: ApiVersion::V3.into(),
        set_node_on_first_message_only: true,
        grpc_services: vec![service],
        ..ApiConfigSource::default()
    };
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::ApiConfigSource(api)),
        ..ConfigSource::default()
    }
}
