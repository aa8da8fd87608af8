//! What Envoy's protos ask of the messages that we make. Written by `cargo xtask validators` from the annotations of
//! the crate `envoy-types`; a test holds it to them.
#![expect(deprecated, reason = "Envoy checks its old fields too")]

use envoy_types::pb::envoy::config::accesslog::v3 as accesslog;
use envoy_types::pb::envoy::config::cluster::v3 as cluster;
use envoy_types::pb::envoy::config::common::mutation_rules::v3 as mutation_rules;
use envoy_types::pb::envoy::config::core::v3 as config_core;
use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
use envoy_types::pb::envoy::config::listener::v3 as listener;
use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::access_loggers::stream::v3 as stream;
use envoy_types::pb::envoy::extensions::filters::common::fault::v3 as common_fault;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3 as common_set_filter_state;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3 as http_fault;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3 as http_header_mutation;
use envoy_types::pb::envoy::extensions::filters::http::router::v3 as router;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3 as http_wasm;
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3 as tls_inspector;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as http_connection_manager;
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3 as network_set_filter_state;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3 as tcp_proxy;
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3 as early_header_mutation_header_mutation;
use envoy_types::pb::envoy::extensions::load_balancing_policies::common::v3 as common;
use envoy_types::pb::envoy::extensions::load_balancing_policies::maglev::v3 as maglev;
use envoy_types::pb::envoy::extensions::load_balancing_policies::ring_hash::v3 as ring_hash;
use envoy_types::pb::envoy::extensions::matching::common_inputs::network::v3 as network;
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3 as previous_hosts;
use envoy_types::pb::envoy::extensions::transport_sockets::proxy_protocol::v3 as proxy_protocol;
use envoy_types::pb::envoy::extensions::transport_sockets::quic::v3 as quic;
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3 as raw_buffer;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::cert_mappers::sni::v3 as sni;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::cert_selectors::on_demand_secret::v3 as on_demand_secret;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
use envoy_types::pb::envoy::extensions::upstreams::http::v3 as http;
use envoy_types::pb::envoy::extensions::wasm::v3 as extensions_wasm;
use envoy_types::pb::envoy::r#type::matcher::v3 as envoy_type_matcher;
use envoy_types::pb::envoy::r#type::v3 as envoy_type;
use envoy_types::pb::google::protobuf;
use envoy_types::pb::xds::core::v3 as xds_core;
use envoy_types::pb::xds::r#type::matcher::v3 as xds_type_matcher;

use super::rule::{self, Span};
use super::{Located as _, Valid, Validity};
use super::{chains, domains, program_size, server_names};

impl Valid for accesslog::AccessLog {}

impl Valid for cluster::CircuitBreakers {
    fn valid(&self) -> Validity {
        for (at, value) in self.thresholds.iter().enumerate() {
            value.valid().item("thresholds", at)?;
        }
        for (at, value) in self.per_host_thresholds.iter().enumerate() {
            value.valid().item("per_host_thresholds", at)?;
        }
        Ok(())
    }
}

impl Valid for cluster::circuit_breakers::Thresholds {
    fn valid(&self) -> Validity {
        rule::defined(self.priority, config_core::RoutingPriority::is_valid).within("priority")?;
        if let Some(value) = &self.retry_budget {
            value.valid().within("retry_budget")?;
        }
        Ok(())
    }
}

impl Valid for cluster::circuit_breakers::thresholds::RetryBudget {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.budget_percent {
            value.valid().within("budget_percent")?;
        }
        Ok(())
    }
}

impl Valid for cluster::Cluster {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        if let Some(value) = &self.eds_cluster_config {
            value.valid().within("eds_cluster_config")?;
        }
        if let Some(value) = &self.connect_timeout {
            rule::gt(Span::of(value), Span::new(0, 0)).within("connect_timeout")?;
        }
        rule::defined(self.lb_policy, cluster::cluster::LbPolicy::is_valid).within("lb_policy")?;
        if let Some(value) = &self.circuit_breakers {
            value.valid().within("circuit_breakers")?;
        }
        if let Some(value) = &self.http_protocol_options {
            value.valid().within("http_protocol_options")?;
        }
        if let Some(value) = &self.http2_protocol_options {
            value.valid().within("http2_protocol_options")?;
        }
        if let Some(value) = &self.dns_refresh_rate {
            rule::gt(Span::of(value), Span::new(0, 1000000)).within("dns_refresh_rate")?;
        }
        rule::defined(
            self.dns_lookup_family,
            cluster::cluster::DnsLookupFamily::is_valid,
        )
        .within("dns_lookup_family")?;
        for (at, value) in self.dns_resolvers.iter().enumerate() {
            value.valid().item("dns_resolvers", at)?;
        }
        if let Some(value) = &self.outlier_detection {
            value.valid().within("outlier_detection")?;
        }
        if let Some(value) = &self.cleanup_interval {
            rule::gt(Span::of(value), Span::new(0, 0)).within("cleanup_interval")?;
        }
        if let Some(value) = &self.transport_socket {
            value.valid().within("transport_socket")?;
        }
        if let Some(value) = &self.common_lb_config {
            value.valid().within("common_lb_config")?;
        }
        if let Some(value) = &self.common_http_protocol_options {
            value.valid().within("common_http_protocol_options")?;
        }
        if let Some(value) = &self.load_assignment {
            value.valid().within("load_assignment")?;
        }
        if let Some(value) = &self.load_balancing_policy {
            value.valid().within("load_balancing_policy")?;
        }
        if let Some(value) = &self.lrs_server {
            value.valid().within("lrs_server")?;
        }
        if let Some(value) = &self.dns_failure_refresh_rate {
            value.valid().within("dns_failure_refresh_rate")?;
        }
        if let Some(value) = &self.upstream_http_protocol_options {
            value.valid().within("upstream_http_protocol_options")?;
        }
        if let Some(value) = &self.upstream_config {
            value.valid().within("upstream_config")?;
        }
        if let Some(value) = &self.typed_dns_resolver_config {
            value.valid().within("typed_dns_resolver_config")?;
        }
        if let Some(value) = &self.dns_jitter {
            rule::gte(Span::of(value), Span::new(0, 0)).within("dns_jitter")?;
        }
        if let Some(value) = &self.per_connection_buffer_high_watermark_timeout {
            rule::gte(Span::of(value), Span::new(0, 0))
                .within("per_connection_buffer_high_watermark_timeout")?;
        }
        if let Some(cluster::cluster::ClusterDiscoveryType::Type(value)) = &self.cluster_discovery_type {
            rule::defined(*value, cluster::cluster::DiscoveryType::is_valid).within("type")?;
        }
        match &self.lb_config {
            Some(cluster::cluster::LbConfig::LeastRequestLbConfig(value)) => {
                value.valid().within("least_request_lb_config")?;
            }
            Some(cluster::cluster::LbConfig::RoundRobinLbConfig(value)) => {
                value.valid().within("round_robin_lb_config")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for cluster::cluster::CommonLbConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.healthy_panic_threshold {
            value.valid().within("healthy_panic_threshold")?;
        }
        Ok(())
    }
}

impl Valid for cluster::cluster::common_lb_config::LocalityWeightedLbConfig {}

impl Valid for cluster::cluster::EdsClusterConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.eds_config {
            value.valid().within("eds_config")?;
        }
        Ok(())
    }
}

impl Valid for cluster::cluster::LeastRequestLbConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.choice_count {
            rule::gte(value.value, 2).within("choice_count")?;
        }
        if let Some(value) = &self.slow_start_config {
            value.valid().within("slow_start_config")?;
        }
        Ok(())
    }
}

impl Valid for cluster::cluster::RefreshRate {
    fn valid(&self) -> Validity {
        rule::required(&self.base_interval).within("base_interval")?;
        if let Some(value) = &self.base_interval {
            rule::gt(Span::of(value), Span::new(0, 1000000)).within("base_interval")?;
        }
        if let Some(value) = &self.max_interval {
            rule::gt(Span::of(value), Span::new(0, 1000000)).within("max_interval")?;
        }
        Ok(())
    }
}

impl Valid for cluster::cluster::RoundRobinLbConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.slow_start_config {
            value.valid().within("slow_start_config")?;
        }
        Ok(())
    }
}

impl Valid for cluster::cluster::SlowStartConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.min_weight_percent {
            value.valid().within("min_weight_percent")?;
        }
        Ok(())
    }
}

impl Valid for cluster::LoadBalancingPolicy {
    fn valid(&self) -> Validity {
        for (at, value) in self.policies.iter().enumerate() {
            value.valid().item("policies", at)?;
        }
        Ok(())
    }
}

impl Valid for cluster::load_balancing_policy::Policy {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.typed_extension_config {
            value.valid().within("typed_extension_config")?;
        }
        Ok(())
    }
}

impl Valid for cluster::OutlierDetection {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.interval {
            rule::gt(Span::of(value), Span::new(0, 0)).within("interval")?;
        }
        if let Some(value) = &self.base_ejection_time {
            rule::gt(Span::of(value), Span::new(0, 0)).within("base_ejection_time")?;
        }
        if let Some(value) = &self.max_ejection_percent {
            rule::lte(value.value, 100).within("max_ejection_percent")?;
        }
        if let Some(value) = &self.enforcing_consecutive_5xx {
            rule::lte(value.value, 100).within("enforcing_consecutive_5xx")?;
        }
        if let Some(value) = &self.enforcing_success_rate {
            rule::lte(value.value, 100).within("enforcing_success_rate")?;
        }
        if let Some(value) = &self.enforcing_consecutive_gateway_failure {
            rule::lte(value.value, 100).within("enforcing_consecutive_gateway_failure")?;
        }
        if let Some(value) = &self.enforcing_consecutive_local_origin_failure {
            rule::lte(value.value, 100).within("enforcing_consecutive_local_origin_failure")?;
        }
        if let Some(value) = &self.enforcing_local_origin_success_rate {
            rule::lte(value.value, 100).within("enforcing_local_origin_success_rate")?;
        }
        if let Some(value) = &self.failure_percentage_threshold {
            rule::lte(value.value, 100).within("failure_percentage_threshold")?;
        }
        if let Some(value) = &self.enforcing_failure_percentage {
            rule::lte(value.value, 100).within("enforcing_failure_percentage")?;
        }
        if let Some(value) = &self.enforcing_failure_percentage_local_origin {
            rule::lte(value.value, 100).within("enforcing_failure_percentage_local_origin")?;
        }
        if let Some(value) = &self.max_ejection_time {
            rule::gt(Span::of(value), Span::new(0, 0)).within("max_ejection_time")?;
        }
        for (at, value) in self.monitors.iter().enumerate() {
            value.valid().item("monitors", at)?;
        }
        Ok(())
    }
}

impl Valid for cluster::UpstreamConnectionOptions {}

impl Valid for mutation_rules::HeaderMutation {
    fn valid(&self) -> Validity {
        rule::required(&self.action).within("action")?;
        match &self.action {
            Some(mutation_rules::header_mutation::Action::Remove(value)) => {
                rule::header_value(value, false).within("remove")?;
            }
            Some(mutation_rules::header_mutation::Action::Append(value)) => {
                value.valid().within("append")?;
            }
            Some(mutation_rules::header_mutation::Action::RemoveOnMatch(value)) => {
                value.valid().within("remove_on_match")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for mutation_rules::header_mutation::RemoveOnMatch {
    fn valid(&self) -> Validity {
        rule::required(&self.key_matcher).within("key_matcher")?;
        if let Some(value) = &self.key_matcher {
            value.valid().within("key_matcher")?;
        }
        Ok(())
    }
}

impl Valid for config_core::Address {
    fn valid(&self) -> Validity {
        rule::required(&self.address).within("address")?;
        if let Some(config_core::address::Address::SocketAddress(value)) = &self.address {
            value.valid().within("socket_address")?;
        }
        Ok(())
    }
}

impl Valid for config_core::AggregatedConfigSource {}

impl Valid for config_core::ApiConfigSource {
    fn valid(&self) -> Validity {
        rule::defined(self.api_type, config_core::api_config_source::ApiType::is_valid).within("api_type")?;
        for (at, value) in self.grpc_services.iter().enumerate() {
            value.valid().item("grpc_services", at)?;
        }
        if let Some(value) = &self.request_timeout {
            rule::gt(Span::of(value), Span::new(0, 0)).within("request_timeout")?;
        }
        rule::defined(self.transport_api_version, config_core::ApiVersion::is_valid)
            .within("transport_api_version")?;
        for (at, value) in self.config_validators.iter().enumerate() {
            value.valid().item("config_validators", at)?;
        }
        Ok(())
    }
}

impl Valid for config_core::AsyncDataSource {
    fn valid(&self) -> Validity {
        rule::required(&self.specifier).within("specifier")?;
        if let Some(config_core::async_data_source::Specifier::Local(value)) = &self.specifier {
            value.valid().within("local")?;
        }
        Ok(())
    }
}

impl Valid for config_core::BackoffStrategy {
    fn valid(&self) -> Validity {
        rule::required(&self.base_interval).within("base_interval")?;
        if let Some(value) = &self.base_interval {
            rule::gte(Span::of(value), Span::new(0, 1000000)).within("base_interval")?;
        }
        if let Some(value) = &self.max_interval {
            rule::gt(Span::of(value), Span::new(0, 0)).within("max_interval")?;
        }
        Ok(())
    }
}

impl Valid for config_core::CidrRange {
    fn valid(&self) -> Validity {
        rule::min_len(&self.address_prefix, 1).within("address_prefix")?;
        if let Some(value) = &self.prefix_len {
            rule::lte(value.value, 128).within("prefix_len")?;
        }
        Ok(())
    }
}

impl Valid for config_core::ConfigSource {
    fn valid(&self) -> Validity {
        rule::defined(self.resource_api_version, config_core::ApiVersion::is_valid)
            .within("resource_api_version")?;
        rule::required(&self.config_source_specifier).within("config_source_specifier")?;
        if let Some(config_core::config_source::ConfigSourceSpecifier::ApiConfigSource(value)) =
            &self.config_source_specifier
        {
            value.valid().within("api_config_source")?;
        }
        Ok(())
    }
}

impl Valid for config_core::DataSource {
    fn valid(&self) -> Validity {
        rule::required(&self.specifier).within("specifier")?;
        match &self.specifier {
            Some(config_core::data_source::Specifier::Filename(value)) => {
                rule::min_len(value, 1).within("filename")?;
            }
            Some(config_core::data_source::Specifier::EnvironmentVariable(value)) => {
                rule::min_len(value, 1).within("environment_variable")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for config_core::ExtensionConfigSource {
    fn valid(&self) -> Validity {
        rule::required(&self.config_source).within("config_source")?;
        if let Some(value) = &self.config_source {
            value.valid().within("config_source")?;
        }
        rule::min_items(self.type_urls.len(), 1).within("type_urls")?;
        Ok(())
    }
}

impl Valid for config_core::GrpcService {
    fn valid(&self) -> Validity {
        for (at, value) in self.initial_metadata.iter().enumerate() {
            value.valid().item("initial_metadata", at)?;
        }
        if let Some(value) = &self.retry_policy {
            value.valid().within("retry_policy")?;
        }
        rule::required(&self.target_specifier).within("target_specifier")?;
        if let Some(config_core::grpc_service::TargetSpecifier::EnvoyGrpc(value)) = &self.target_specifier {
            value.valid().within("envoy_grpc")?;
        }
        Ok(())
    }
}

impl Valid for config_core::grpc_service::EnvoyGrpc {
    fn valid(&self) -> Validity {
        rule::min_len(&self.cluster_name, 1).within("cluster_name")?;
        rule::max_bytes(&self.authority, 16384).within("authority")?;
        rule::header_value(&self.authority, false).within("authority")?;
        if let Some(value) = &self.retry_policy {
            value.valid().within("retry_policy")?;
        }
        Ok(())
    }
}

impl Valid for config_core::HeaderValue {
    fn valid(&self) -> Validity {
        rule::min_len(&self.key, 1).within("key")?;
        rule::max_bytes(&self.key, 16384).within("key")?;
        rule::header_name(&self.key, false).within("key")?;
        rule::max_bytes(&self.value, 16384).within("value")?;
        rule::header_value(&self.value, false).within("value")?;
        rule::max_size(self.raw_value.len(), 16384).within("raw_value")?;
        Ok(())
    }
}

impl Valid for config_core::HeaderValueOption {
    fn valid(&self) -> Validity {
        rule::required(&self.header).within("header")?;
        if let Some(value) = &self.header {
            value.valid().within("header")?;
        }
        rule::defined(
            self.append_action,
            config_core::header_value_option::HeaderAppendAction::is_valid,
        )
        .within("append_action")?;
        Ok(())
    }
}

impl Valid for config_core::Http1ProtocolOptions {
    fn valid(&self) -> Validity {
        for (at, value) in self.ignore_http_11_upgrade.iter().enumerate() {
            value.valid().item("ignore_http_11_upgrade", at)?;
        }
        Ok(())
    }
}

impl Valid for config_core::Http2ProtocolOptions {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.max_concurrent_streams {
            rule::lte(value.value, 2147483647).within("max_concurrent_streams")?;
            rule::gte(value.value, 1).within("max_concurrent_streams")?;
        }
        if let Some(value) = &self.initial_stream_window_size {
            rule::lte(value.value, 2147483647).within("initial_stream_window_size")?;
            rule::gte(value.value, 65535).within("initial_stream_window_size")?;
        }
        if let Some(value) = &self.initial_connection_window_size {
            rule::lte(value.value, 2147483647).within("initial_connection_window_size")?;
            rule::gte(value.value, 65535).within("initial_connection_window_size")?;
        }
        if let Some(value) = &self.max_outbound_frames {
            rule::gte(value.value, 1).within("max_outbound_frames")?;
        }
        if let Some(value) = &self.max_outbound_control_frames {
            rule::gte(value.value, 1).within("max_outbound_control_frames")?;
        }
        if let Some(value) = &self.max_inbound_window_update_frames_per_data_frame_sent {
            rule::gte(value.value, 1).within("max_inbound_window_update_frames_per_data_frame_sent")?;
        }
        if let Some(value) = &self.max_header_field_size_kb {
            rule::lte(value.value, 256).within("max_header_field_size_kb")?;
            rule::gte(value.value, 64).within("max_header_field_size_kb")?;
        }
        Ok(())
    }
}

impl Valid for config_core::Http3ProtocolOptions {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.quic_protocol_options {
            value.valid().within("quic_protocol_options")?;
        }
        Ok(())
    }
}

impl Valid for config_core::HttpProtocolOptions {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.max_headers_count {
            rule::gte(value.value, 1).within("max_headers_count")?;
        }
        if let Some(value) = &self.max_response_headers_kb {
            rule::lte(value.value, 8192).within("max_response_headers_kb")?;
            rule::gt(value.value, 0).within("max_response_headers_kb")?;
        }
        if let Some(value) = &self.max_connection_duration_jitter {
            value.valid().within("max_connection_duration_jitter")?;
        }
        Ok(())
    }
}

impl Valid for config_core::Locality {}

impl Valid for config_core::ProxyProtocolConfig {}

impl Valid for config_core::QuicKeepAliveSettings {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.initial_interval {
            rule::outside(Span::of(value), Span::new(0, 0), Span::new(0, 1000000))
                .within("initial_interval")?;
        }
        Ok(())
    }
}

impl Valid for config_core::QuicProtocolOptions {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.max_concurrent_streams {
            rule::gte(value.value, 1).within("max_concurrent_streams")?;
        }
        if let Some(value) = &self.initial_stream_window_size {
            rule::lte(value.value, 16777216).within("initial_stream_window_size")?;
            rule::gte(value.value, 1).within("initial_stream_window_size")?;
        }
        if let Some(value) = &self.initial_connection_window_size {
            rule::lte(value.value, 25165824).within("initial_connection_window_size")?;
            rule::gte(value.value, 1).within("initial_connection_window_size")?;
        }
        if let Some(value) = &self.num_timeouts_to_trigger_port_migration {
            rule::lte(value.value, 5).within("num_timeouts_to_trigger_port_migration")?;
            rule::gte(value.value, 0).within("num_timeouts_to_trigger_port_migration")?;
        }
        if let Some(value) = &self.connection_keepalive {
            value.valid().within("connection_keepalive")?;
        }
        if let Some(value) = &self.idle_network_timeout {
            rule::gte(Span::of(value), Span::new(1, 0)).within("idle_network_timeout")?;
        }
        if let Some(value) = &self.client_packet_writer {
            value.valid().within("client_packet_writer")?;
        }
        if let Some(value) = &self.memory_reduction_timeout {
            rule::gte(Span::of(value), Span::new(1, 0)).within("memory_reduction_timeout")?;
        }
        Ok(())
    }
}

impl Valid for config_core::RetryPolicy {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.retry_back_off {
            value.valid().within("retry_back_off")?;
        }
        Ok(())
    }
}

impl Valid for config_core::RuntimeDouble {}

impl Valid for config_core::RuntimeFractionalPercent {
    fn valid(&self) -> Validity {
        rule::required(&self.default_value).within("default_value")?;
        if let Some(value) = &self.default_value {
            value.valid().within("default_value")?;
        }
        Ok(())
    }
}

impl Valid for config_core::SocketAddress {
    fn valid(&self) -> Validity {
        rule::defined(self.protocol, config_core::socket_address::Protocol::is_valid).within("protocol")?;
        rule::min_len(&self.address, 1).within("address")?;
        rule::required(&self.port_specifier).within("port_specifier")?;
        if let Some(config_core::socket_address::PortSpecifier::PortValue(value)) = &self.port_specifier {
            rule::lte(*value, 65535).within("port_value")?;
        }
        Ok(())
    }
}

impl Valid for config_core::SocketOption {
    fn valid(&self) -> Validity {
        rule::defined(self.state, config_core::socket_option::SocketState::is_valid).within("state")?;
        rule::required(&self.value).within("value")?;
        Ok(())
    }
}

impl Valid for config_core::SubstitutionFormatString {
    fn valid(&self) -> Validity {
        rule::header_value(&self.content_type, false).within("content_type")?;
        for (at, value) in self.formatters.iter().enumerate() {
            value.valid().item("formatters", at)?;
        }
        rule::required(&self.format).within("format")?;
        if let Some(config_core::substitution_format_string::Format::TextFormatSource(value)) = &self.format {
            value.valid().within("text_format_source")?;
        }
        Ok(())
    }
}

impl Valid for config_core::TcpKeepalive {}

impl Valid for config_core::TransportSocket {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        Ok(())
    }
}

impl Valid for config_core::TypedExtensionConfig {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        rule::required(&self.typed_config).within("typed_config")?;
        Ok(())
    }
}

impl Valid for config_core::UpstreamHttpProtocolOptions {
    fn valid(&self) -> Validity {
        if !self.override_auto_sni_header.is_empty() {
            rule::header_name(&self.override_auto_sni_header, true).within("override_auto_sni_header")?;
        }
        Ok(())
    }
}

impl Valid for endpoint::ClusterLoadAssignment {
    fn valid(&self) -> Validity {
        rule::min_len(&self.cluster_name, 1).within("cluster_name")?;
        for (at, value) in self.endpoints.iter().enumerate() {
            value.valid().item("endpoints", at)?;
        }
        for (key, value) in &self.named_endpoints {
            value.valid().entry("named_endpoints", key)?;
        }
        Ok(())
    }
}

impl Valid for endpoint::Endpoint {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.address {
            value.valid().within("address")?;
        }
        Ok(())
    }
}

impl Valid for endpoint::LbEndpoint {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.load_balancing_weight {
            rule::gte(value.value, 1).within("load_balancing_weight")?;
        }
        if let Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(value)) = &self.host_identifier {
            value.valid().within("endpoint")?;
        }
        Ok(())
    }
}

impl Valid for endpoint::LocalityLbEndpoints {
    fn valid(&self) -> Validity {
        for (at, value) in self.lb_endpoints.iter().enumerate() {
            value.valid().item("lb_endpoints", at)?;
        }
        if let Some(value) = &self.load_balancing_weight {
            rule::gte(value.value, 1).within("load_balancing_weight")?;
        }
        rule::lte(self.priority, 128).within("priority")?;
        Ok(())
    }
}

impl Valid for listener::Filter {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        if let Some(listener::filter::ConfigType::ConfigDiscovery(value)) = &self.config_type {
            value.valid().within("config_discovery")?;
        }
        Ok(())
    }
}

impl Valid for listener::FilterChain {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.filter_chain_match {
            value.valid().within("filter_chain_match")?;
        }
        for (at, value) in self.filters.iter().enumerate() {
            value.valid().item("filters", at)?;
        }
        if let Some(value) = &self.transport_socket {
            value.valid().within("transport_socket")?;
        }
        Ok(())
    }
}

impl Valid for listener::FilterChainMatch {
    fn valid(&self) -> Validity {
        for (at, value) in self.prefix_ranges.iter().enumerate() {
            value.valid().item("prefix_ranges", at)?;
        }
        for (at, value) in self.source_prefix_ranges.iter().enumerate() {
            value.valid().item("source_prefix_ranges", at)?;
        }
        for (at, value) in self.source_ports.iter().enumerate() {
            rule::lte(*value, 65535).item("source_ports", at)?;
            rule::gte(*value, 1).item("source_ports", at)?;
        }
        if let Some(value) = &self.destination_port {
            rule::lte(value.value, 65535).within("destination_port")?;
            rule::gte(value.value, 1).within("destination_port")?;
        }
        rule::defined(
            self.source_type,
            listener::filter_chain_match::ConnectionSourceType::is_valid,
        )
        .within("source_type")?;
        for (at, value) in self.direct_source_prefix_ranges.iter().enumerate() {
            value.valid().item("direct_source_prefix_ranges", at)?;
        }
        server_names::check(self)?;
        Ok(())
    }
}

impl Valid for listener::Listener {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.address {
            value.valid().within("address")?;
        }
        for (at, value) in self.filter_chains.iter().enumerate() {
            value.valid().item("filter_chains", at)?;
        }
        for (at, value) in self.listener_filters.iter().enumerate() {
            value.valid().item("listener_filters", at)?;
        }
        for (at, value) in self.socket_options.iter().enumerate() {
            value.valid().item("socket_options", at)?;
        }
        if let Some(value) = &self.udp_listener_config {
            value.valid().within("udp_listener_config")?;
        }
        if let Some(value) = &self.default_filter_chain {
            value.valid().within("default_filter_chain")?;
        }
        if let Some(value) = &self.max_connections_to_accept_per_socket_event {
            rule::gt(value.value, 0).within("max_connections_to_accept_per_socket_event")?;
        }
        if let Some(value) = &self.per_connection_buffer_high_watermark_timeout {
            rule::gte(Span::of(value), Span::new(0, 0))
                .within("per_connection_buffer_high_watermark_timeout")?;
        }
        chains::check(self)?;
        Ok(())
    }
}

impl Valid for listener::ListenerFilter {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        if let Some(listener::listener_filter::ConfigType::ConfigDiscovery(value)) = &self.config_type {
            value.valid().within("config_discovery")?;
        }
        Ok(())
    }
}

impl Valid for listener::QuicProtocolOptions {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.quic_protocol_options {
            value.valid().within("quic_protocol_options")?;
        }
        if let Some(value) = &self.packets_to_read_to_connection_count_ratio {
            rule::gte(value.value, 1).within("packets_to_read_to_connection_count_ratio")?;
        }
        if let Some(value) = &self.crypto_stream_config {
            value.valid().within("crypto_stream_config")?;
        }
        if let Some(value) = &self.proof_source_config {
            value.valid().within("proof_source_config")?;
        }
        if let Some(value) = &self.connection_id_generator_config {
            value.valid().within("connection_id_generator_config")?;
        }
        if let Some(value) = &self.server_preferred_address_config {
            value.valid().within("server_preferred_address_config")?;
        }
        if let Some(value) = &self.connection_debug_visitor_config {
            value.valid().within("connection_debug_visitor_config")?;
        }
        rule::max_items(self.save_cmsg_config.len(), 1).within("save_cmsg_config")?;
        if let Some(value) = &self.max_sessions_per_event_loop {
            rule::gt(value.value, 0).within("max_sessions_per_event_loop")?;
        }
        Ok(())
    }
}

impl Valid for listener::UdpListenerConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.quic_options {
            value.valid().within("quic_options")?;
        }
        if let Some(value) = &self.udp_packet_packet_writer_config {
            value.valid().within("udp_packet_packet_writer_config")?;
        }
        Ok(())
    }
}

impl Valid for route::HeaderMatcher {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        rule::header_name(&self.name, false).within("name")?;
        match &self.header_match_specifier {
            Some(route::header_matcher::HeaderMatchSpecifier::SafeRegexMatch(value)) => {
                value.valid().within("safe_regex_match")?;
            }
            Some(route::header_matcher::HeaderMatchSpecifier::PrefixMatch(value)) => {
                rule::min_len(value, 1).within("prefix_match")?;
            }
            Some(route::header_matcher::HeaderMatchSpecifier::SuffixMatch(value)) => {
                rule::min_len(value, 1).within("suffix_match")?;
            }
            Some(route::header_matcher::HeaderMatchSpecifier::ContainsMatch(value)) => {
                rule::min_len(value, 1).within("contains_match")?;
            }
            Some(route::header_matcher::HeaderMatchSpecifier::StringMatch(value)) => {
                value.valid().within("string_match")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for route::RetryPolicy {
    fn valid(&self) -> Validity {
        for (at, value) in self.retry_host_predicate.iter().enumerate() {
            value.valid().item("retry_host_predicate", at)?;
        }
        for (at, value) in self.retriable_headers.iter().enumerate() {
            value.valid().item("retriable_headers", at)?;
        }
        for (at, value) in self.retriable_request_headers.iter().enumerate() {
            value.valid().item("retriable_request_headers", at)?;
        }
        for (at, value) in self.retry_options_predicates.iter().enumerate() {
            value.valid().item("retry_options_predicates", at)?;
        }
        Ok(())
    }
}

impl Valid for route::retry_policy::RetryHostPredicate {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        Ok(())
    }
}

impl Valid for route::Route {
    fn valid(&self) -> Validity {
        rule::required(&self.r#match).within("match")?;
        if let Some(value) = &self.r#match {
            value.valid().within("match")?;
        }
        rule::max_items(self.request_headers_to_add.len(), 1000).within("request_headers_to_add")?;
        for (at, value) in self.request_headers_to_add.iter().enumerate() {
            value.valid().item("request_headers_to_add", at)?;
        }
        rule::max_items(self.response_headers_to_add.len(), 1000).within("response_headers_to_add")?;
        for (at, value) in self.response_headers_to_add.iter().enumerate() {
            value.valid().item("response_headers_to_add", at)?;
        }
        for (at, value) in self.response_headers_to_remove.iter().enumerate() {
            rule::min_len(value, 1).item("response_headers_to_remove", at)?;
            rule::header_name(value, false).item("response_headers_to_remove", at)?;
        }
        for (at, value) in self.request_headers_to_remove.iter().enumerate() {
            rule::min_len(value, 1).item("request_headers_to_remove", at)?;
            rule::header_name(value, false).item("request_headers_to_remove", at)?;
        }
        for (at, value) in self.route_specifiers.iter().enumerate() {
            value.valid().item("route_specifiers", at)?;
        }
        rule::required(&self.action).within("action")?;
        if let Some(route::route::Action::Route(value)) = &self.action {
            value.valid().within("route")?;
        }
        Ok(())
    }
}

impl Valid for route::RouteAction {
    fn valid(&self) -> Validity {
        rule::header_value(&self.prefix_rewrite, false).within("prefix_rewrite")?;
        if let Some(value) = &self.retry_policy {
            value.valid().within("retry_policy")?;
        }
        rule::defined(self.priority, config_core::RoutingPriority::is_valid).within("priority")?;
        for (at, value) in self.hash_policy.iter().enumerate() {
            value.valid().item("hash_policy", at)?;
        }
        rule::defined(
            self.cluster_not_found_response_code,
            route::route_action::ClusterNotFoundResponseCode::is_valid,
        )
        .within("cluster_not_found_response_code")?;
        for (at, value) in self.request_mirror_policies.iter().enumerate() {
            value.valid().item("request_mirror_policies", at)?;
        }
        if let Some(value) = &self.early_data_policy {
            value.valid().within("early_data_policy")?;
        }
        if let Some(value) = &self.path_rewrite_policy {
            value.valid().within("path_rewrite_policy")?;
        }
        rule::required(&self.cluster_specifier).within("cluster_specifier")?;
        match &self.cluster_specifier {
            Some(route::route_action::ClusterSpecifier::Cluster(value)) => {
                rule::min_len(value, 1).within("cluster")?;
            }
            Some(route::route_action::ClusterSpecifier::ClusterHeader(value)) => {
                rule::min_len(value, 1).within("cluster_header")?;
                rule::header_name(value, false).within("cluster_header")?;
            }
            _ => {}
        }
        match &self.host_rewrite_specifier {
            Some(route::route_action::HostRewriteSpecifier::HostRewriteLiteral(value)) => {
                rule::header_value(value, false).within("host_rewrite_literal")?;
            }
            Some(route::route_action::HostRewriteSpecifier::HostRewriteHeader(value)) => {
                rule::header_name(value, false).within("host_rewrite_header")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for route::route_action::HashPolicy {
    fn valid(&self) -> Validity {
        rule::required(&self.policy_specifier).within("policy_specifier")?;
        match &self.policy_specifier {
            Some(route::route_action::hash_policy::PolicySpecifier::Header(value)) => {
                value.valid().within("header")?;
            }
            Some(route::route_action::hash_policy::PolicySpecifier::Cookie(value)) => {
                value.valid().within("cookie")?;
            }
            Some(route::route_action::hash_policy::PolicySpecifier::QueryParameter(value)) => {
                value.valid().within("query_parameter")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for route::route_action::hash_policy::ConnectionProperties {}

impl Valid for route::route_action::hash_policy::Cookie {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        for (at, value) in self.attributes.iter().enumerate() {
            value.valid().item("attributes", at)?;
        }
        Ok(())
    }
}

impl Valid for route::route_action::hash_policy::CookieAttribute {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        rule::max_bytes(&self.name, 16384).within("name")?;
        rule::header_name(&self.name, false).within("name")?;
        rule::max_bytes(&self.value, 16384).within("value")?;
        rule::header_value(&self.value, false).within("value")?;
        Ok(())
    }
}

impl Valid for route::route_action::hash_policy::Header {
    fn valid(&self) -> Validity {
        rule::min_len(&self.header_name, 1).within("header_name")?;
        rule::header_name(&self.header_name, false).within("header_name")?;
        Ok(())
    }
}

impl Valid for route::route_action::hash_policy::QueryParameter {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        Ok(())
    }
}

impl Valid for route::route_action::RequestMirrorPolicy {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.runtime_fraction {
            value.valid().within("runtime_fraction")?;
        }
        rule::header_name(&self.cluster_header, false).within("cluster_header")?;
        rule::max_items(self.request_headers_mutations.len(), 1000).within("request_headers_mutations")?;
        for (at, value) in self.request_headers_mutations.iter().enumerate() {
            value.valid().item("request_headers_mutations", at)?;
        }
        rule::header_value(&self.host_rewrite_literal, false).within("host_rewrite_literal")?;
        Ok(())
    }
}

impl Valid for route::RouteConfiguration {
    fn valid(&self) -> Validity {
        for (at, value) in self.virtual_hosts.iter().enumerate() {
            value.valid().item("virtual_hosts", at)?;
        }
        for (at, value) in self.internal_only_headers.iter().enumerate() {
            rule::header_name(value, false).item("internal_only_headers", at)?;
        }
        rule::max_items(self.response_headers_to_add.len(), 1000).within("response_headers_to_add")?;
        for (at, value) in self.response_headers_to_add.iter().enumerate() {
            value.valid().item("response_headers_to_add", at)?;
        }
        for (at, value) in self.response_headers_to_remove.iter().enumerate() {
            rule::header_name(value, false).item("response_headers_to_remove", at)?;
        }
        rule::max_items(self.request_headers_to_add.len(), 1000).within("request_headers_to_add")?;
        for (at, value) in self.request_headers_to_add.iter().enumerate() {
            value.valid().item("request_headers_to_add", at)?;
        }
        for (at, value) in self.request_headers_to_remove.iter().enumerate() {
            rule::header_name(value, false).item("request_headers_to_remove", at)?;
        }
        for (at, value) in self.request_mirror_policies.iter().enumerate() {
            value.valid().item("request_mirror_policies", at)?;
        }
        for (at, value) in self.route_specifiers.iter().enumerate() {
            value.valid().item("route_specifiers", at)?;
        }
        domains::check(self)?;
        Ok(())
    }
}

impl Valid for route::RouteMatch {
    fn valid(&self) -> Validity {
        for (at, value) in self.headers.iter().enumerate() {
            value.valid().item("headers", at)?;
        }
        if let Some(value) = &self.runtime_fraction {
            value.valid().within("runtime_fraction")?;
        }
        rule::required(&self.path_specifier).within("path_specifier")?;
        match &self.path_specifier {
            Some(route::route_match::PathSpecifier::SafeRegex(value)) => {
                value.valid().within("safe_regex")?;
            }
            Some(route::route_match::PathSpecifier::PathSeparatedPrefix(value)) => {
                rule::pattern(value, "^[^?#]+[^?#/]$").within("path_separated_prefix")?;
            }
            Some(route::route_match::PathSpecifier::PathMatchPolicy(value)) => {
                value.valid().within("path_match_policy")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for route::VirtualHost {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        rule::min_items(self.domains.len(), 1).within("domains")?;
        for (at, value) in self.domains.iter().enumerate() {
            rule::header_value(value, false).item("domains", at)?;
        }
        for (at, value) in self.routes.iter().enumerate() {
            value.valid().item("routes", at)?;
        }
        rule::defined(
            self.require_tls,
            route::virtual_host::TlsRequirementType::is_valid,
        )
        .within("require_tls")?;
        rule::max_items(self.request_headers_to_add.len(), 1000).within("request_headers_to_add")?;
        for (at, value) in self.request_headers_to_add.iter().enumerate() {
            value.valid().item("request_headers_to_add", at)?;
        }
        rule::max_items(self.response_headers_to_add.len(), 1000).within("response_headers_to_add")?;
        for (at, value) in self.response_headers_to_add.iter().enumerate() {
            value.valid().item("response_headers_to_add", at)?;
        }
        for (at, value) in self.response_headers_to_remove.iter().enumerate() {
            rule::min_len(value, 1).item("response_headers_to_remove", at)?;
            rule::header_name(value, false).item("response_headers_to_remove", at)?;
        }
        for (at, value) in self.request_headers_to_remove.iter().enumerate() {
            rule::min_len(value, 1).item("request_headers_to_remove", at)?;
            rule::header_name(value, false).item("request_headers_to_remove", at)?;
        }
        if let Some(value) = &self.retry_policy {
            value.valid().within("retry_policy")?;
        }
        for (at, value) in self.request_mirror_policies.iter().enumerate() {
            value.valid().item("request_mirror_policies", at)?;
        }
        for (at, value) in self.route_specifiers.iter().enumerate() {
            value.valid().item("route_specifiers", at)?;
        }
        Ok(())
    }
}

impl Valid for stream::StdoutAccessLog {
    fn valid(&self) -> Validity {
        if let Some(stream::stdout_access_log::AccessLogFormat::LogFormat(value)) = &self.access_log_format {
            value.valid().within("log_format")?;
        }
        Ok(())
    }
}

impl Valid for common_fault::FaultDelay {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.percentage {
            value.valid().within("percentage")?;
        }
        rule::required(&self.fault_delay_secifier).within("fault_delay_secifier")?;
        if let Some(common_fault::fault_delay::FaultDelaySecifier::FixedDelay(value)) =
            &self.fault_delay_secifier
        {
            rule::gt(Span::of(value), Span::new(0, 0)).within("fixed_delay")?;
        }
        Ok(())
    }
}

impl Valid for common_fault::fault_delay::HeaderDelay {}

impl Valid for common_set_filter_state::FilterStateValue {
    fn valid(&self) -> Validity {
        rule::required(&self.key).within("key")?;
        if let Some(common_set_filter_state::filter_state_value::Key::ObjectKey(value)) = &self.key {
            rule::min_len(value, 1).within("object_key")?;
        }
        rule::required(&self.value).within("value")?;
        if let Some(common_set_filter_state::filter_state_value::Value::FormatString(value)) = &self.value {
            value.valid().within("format_string")?;
        }
        Ok(())
    }
}

impl Valid for http_fault::FaultAbort {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.percentage {
            value.valid().within("percentage")?;
        }
        rule::required(&self.error_type).within("error_type")?;
        if let Some(http_fault::fault_abort::ErrorType::HttpStatus(value)) = &self.error_type {
            rule::lt(*value, 600).within("http_status")?;
            rule::gte(*value, 200).within("http_status")?;
        }
        Ok(())
    }
}

impl Valid for http_fault::fault_abort::HeaderAbort {}

impl Valid for http_fault::HttpFault {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.delay {
            value.valid().within("delay")?;
        }
        if let Some(value) = &self.abort {
            value.valid().within("abort")?;
        }
        for (at, value) in self.headers.iter().enumerate() {
            value.valid().item("headers", at)?;
        }
        Ok(())
    }
}

impl Valid for http_header_mutation::HeaderMutation {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.mutations {
            value.valid().within("mutations")?;
        }
        Ok(())
    }
}

impl Valid for http_header_mutation::Mutations {
    fn valid(&self) -> Validity {
        for (at, value) in self.request_mutations.iter().enumerate() {
            value.valid().item("request_mutations", at)?;
        }
        for (at, value) in self.response_mutations.iter().enumerate() {
            value.valid().item("response_mutations", at)?;
        }
        for (at, value) in self.response_trailers_mutations.iter().enumerate() {
            value.valid().item("response_trailers_mutations", at)?;
        }
        for (at, value) in self.request_trailers_mutations.iter().enumerate() {
            value.valid().item("request_trailers_mutations", at)?;
        }
        Ok(())
    }
}

impl Valid for router::Router {
    fn valid(&self) -> Validity {
        for (at, value) in self.strict_check_headers.iter().enumerate() {
            rule::one_of(
                value.as_str(),
                &[
                    "x-envoy-upstream-rq-timeout-ms",
                    "x-envoy-upstream-rq-per-try-timeout-ms",
                    "x-envoy-max-retries",
                    "x-envoy-retry-grpc-on",
                    "x-envoy-retry-on",
                ],
            )
            .item("strict_check_headers", at)?;
        }
        for (at, value) in self.upstream_http_filters.iter().enumerate() {
            value.valid().item("upstream_http_filters", at)?;
        }
        Ok(())
    }
}

impl Valid for http_wasm::Wasm {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.config {
            value.valid().within("config")?;
        }
        Ok(())
    }
}

impl Valid for tls_inspector::TlsInspector {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.initial_read_buffer_size {
            rule::lt(value.value, 65537).within("initial_read_buffer_size")?;
            rule::gt(value.value, 255).within("initial_read_buffer_size")?;
        }
        if let Some(value) = &self.max_client_hello_size {
            rule::lte(value.value, 16384).within("max_client_hello_size")?;
            rule::gt(value.value, 255).within("max_client_hello_size")?;
        }
        Ok(())
    }
}

impl Valid for http_connection_manager::HttpConnectionManager {
    fn valid(&self) -> Validity {
        rule::defined(
            self.codec_type,
            http_connection_manager::http_connection_manager::CodecType::is_valid,
        )
        .within("codec_type")?;
        rule::min_len(&self.stat_prefix, 1).within("stat_prefix")?;
        for (at, value) in self.http_filters.iter().enumerate() {
            value.valid().item("http_filters", at)?;
        }
        if let Some(value) = &self.http_protocol_options {
            value.valid().within("http_protocol_options")?;
        }
        if let Some(value) = &self.http2_protocol_options {
            value.valid().within("http2_protocol_options")?;
        }
        rule::header_value(&self.server_name, false).within("server_name")?;
        rule::defined(
            self.forward_client_cert_details,
            http_connection_manager::http_connection_manager::ForwardClientCertDetails::is_valid,
        )
        .within("forward_client_cert_details")?;
        rule::header_value(&self.via, false).within("via")?;
        for (at, value) in self.upgrade_configs.iter().enumerate() {
            value.valid().item("upgrade_configs", at)?;
        }
        if let Some(value) = &self.internal_address_config {
            value.valid().within("internal_address_config")?;
        }
        if let Some(value) = &self.max_request_headers_kb {
            rule::lte(value.value, 8192).within("max_request_headers_kb")?;
            rule::gt(value.value, 0).within("max_request_headers_kb")?;
        }
        rule::defined(
            self.server_header_transformation,
            http_connection_manager::http_connection_manager::ServerHeaderTransformation::is_valid,
        )
        .within("server_header_transformation")?;
        if let Some(value) = &self.common_http_protocol_options {
            value.valid().within("common_http_protocol_options")?;
        }
        if let Some(value) = &self.request_headers_timeout {
            rule::gte(Span::of(value), Span::new(0, 0)).within("request_headers_timeout")?;
        }
        if let Some(value) = &self.http3_protocol_options {
            value.valid().within("http3_protocol_options")?;
        }
        for (at, value) in self.original_ip_detection_extensions.iter().enumerate() {
            value.valid().item("original_ip_detection_extensions", at)?;
        }
        if let Some(value) = &self.typed_header_validation_config {
            value.valid().within("typed_header_validation_config")?;
        }
        for (at, value) in self.early_header_mutation_extensions.iter().enumerate() {
            value.valid().item("early_header_mutation_extensions", at)?;
        }
        if let Some(value) = &self.access_log_flush_interval {
            rule::gte(Span::of(value), Span::new(0, 1000000)).within("access_log_flush_interval")?;
        }
        if let Some(value) = &self.drain_timeout_jitter {
            value.valid().within("drain_timeout_jitter")?;
        }
        rule::required(&self.route_specifier).within("route_specifier")?;
        if let Some(http_connection_manager::http_connection_manager::RouteSpecifier::RouteConfig(value)) =
            &self.route_specifier
        {
            value.valid().within("route_config")?;
        }
        Ok(())
    }
}

impl Valid for http_connection_manager::http_connection_manager::InternalAddressConfig {
    fn valid(&self) -> Validity {
        for (at, value) in self.cidr_ranges.iter().enumerate() {
            value.valid().item("cidr_ranges", at)?;
        }
        Ok(())
    }
}

impl Valid for http_connection_manager::http_connection_manager::SetCurrentClientCertDetails {}

impl Valid for http_connection_manager::http_connection_manager::UpgradeConfig {
    fn valid(&self) -> Validity {
        for (at, value) in self.filters.iter().enumerate() {
            value.valid().item("filters", at)?;
        }
        Ok(())
    }
}

impl Valid for http_connection_manager::HttpFilter {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        if let Some(http_connection_manager::http_filter::ConfigType::ConfigDiscovery(value)) =
            &self.config_type
        {
            value.valid().within("config_discovery")?;
        }
        Ok(())
    }
}

impl Valid for network_set_filter_state::Config {
    fn valid(&self) -> Validity {
        for (at, value) in self.on_new_connection.iter().enumerate() {
            value.valid().item("on_new_connection", at)?;
        }
        for (at, value) in self.on_downstream_tls_handshake.iter().enumerate() {
            value.valid().item("on_downstream_tls_handshake", at)?;
        }
        for (at, value) in self.on_downstream_data.iter().enumerate() {
            value.valid().item("on_downstream_data", at)?;
        }
        Ok(())
    }
}

impl Valid for tcp_proxy::TcpProxy {
    fn valid(&self) -> Validity {
        rule::min_len(&self.stat_prefix, 1).within("stat_prefix")?;
        if let Some(value) = &self.max_connect_attempts {
            rule::gte(value.value, 1).within("max_connect_attempts")?;
        }
        rule::max_items(self.hash_policy.len(), 1).within("hash_policy")?;
        if let Some(value) = &self.max_downstream_connection_duration {
            rule::gte(Span::of(value), Span::new(0, 1000000)).within("max_downstream_connection_duration")?;
        }
        if let Some(value) = &self.access_log_flush_interval {
            rule::gte(Span::of(value), Span::new(0, 1000000)).within("access_log_flush_interval")?;
        }
        if let Some(value) = &self.backoff_options {
            value.valid().within("backoff_options")?;
        }
        if let Some(value) = &self.max_downstream_connection_duration_jitter_percentage {
            value
                .valid()
                .within("max_downstream_connection_duration_jitter_percentage")?;
        }
        rule::defined(
            self.upstream_connect_mode,
            tcp_proxy::UpstreamConnectMode::is_valid,
        )
        .within("upstream_connect_mode")?;
        if let Some(value) = &self.max_early_data_bytes {
            rule::lte(value.value, 1048576).within("max_early_data_bytes")?;
        }
        rule::defined(
            self.proxy_protocol_tlv_merge_policy,
            tcp_proxy::ProxyProtocolTlvMergePolicy::is_valid,
        )
        .within("proxy_protocol_tlv_merge_policy")?;
        rule::required(&self.cluster_specifier).within("cluster_specifier")?;
        if let Some(tcp_proxy::tcp_proxy::ClusterSpecifier::WeightedClusters(value)) = &self.cluster_specifier
        {
            value.valid().within("weighted_clusters")?;
        }
        Ok(())
    }
}

impl Valid for tcp_proxy::tcp_proxy::WeightedCluster {
    fn valid(&self) -> Validity {
        rule::min_items(self.clusters.len(), 1).within("clusters")?;
        for (at, value) in self.clusters.iter().enumerate() {
            value.valid().item("clusters", at)?;
        }
        Ok(())
    }
}

impl Valid for tcp_proxy::tcp_proxy::weighted_cluster::ClusterWeight {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        rule::gte(self.weight, 1).within("weight")?;
        Ok(())
    }
}

impl Valid for early_header_mutation_header_mutation::HeaderMutation {
    fn valid(&self) -> Validity {
        rule::min_items(self.mutations.len(), 1).within("mutations")?;
        for (at, value) in self.mutations.iter().enumerate() {
            value.valid().item("mutations", at)?;
        }
        Ok(())
    }
}

impl Valid for common::ConsistentHashingLbConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.hash_balance_factor {
            rule::gte(value.value, 100).within("hash_balance_factor")?;
        }
        for (at, value) in self.hash_policy.iter().enumerate() {
            value.valid().item("hash_policy", at)?;
        }
        Ok(())
    }
}

impl Valid for common::locality_lb_config::LocalityWeightedLbConfig {}

impl Valid for maglev::Maglev {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.table_size {
            rule::lte(value.value, 5000011).within("table_size")?;
        }
        if let Some(value) = &self.consistent_hashing_lb_config {
            value.valid().within("consistent_hashing_lb_config")?;
        }
        Ok(())
    }
}

impl Valid for ring_hash::RingHash {
    fn valid(&self) -> Validity {
        rule::defined(self.hash_function, ring_hash::ring_hash::HashFunction::is_valid)
            .within("hash_function")?;
        if let Some(value) = &self.minimum_ring_size {
            rule::lte(value.value, 8388608).within("minimum_ring_size")?;
            rule::gte(value.value, 1).within("minimum_ring_size")?;
        }
        if let Some(value) = &self.maximum_ring_size {
            rule::lte(value.value, 8388608).within("maximum_ring_size")?;
        }
        if let Some(value) = &self.hash_balance_factor {
            rule::gte(value.value, 100).within("hash_balance_factor")?;
        }
        if let Some(value) = &self.consistent_hashing_lb_config {
            value.valid().within("consistent_hashing_lb_config")?;
        }
        Ok(())
    }
}

impl Valid for network::ServerNameInput {}

impl Valid for previous_hosts::PreviousHostsPredicate {}

impl Valid for proxy_protocol::ProxyProtocolUpstreamTransport {
    fn valid(&self) -> Validity {
        rule::required(&self.transport_socket).within("transport_socket")?;
        if let Some(value) = &self.transport_socket {
            value.valid().within("transport_socket")?;
        }
        Ok(())
    }
}

impl Valid for quic::QuicDownstreamTransport {
    fn valid(&self) -> Validity {
        rule::required(&self.downstream_tls_context).within("downstream_tls_context")?;
        if let Some(value) = &self.downstream_tls_context {
            value.valid().within("downstream_tls_context")?;
        }
        Ok(())
    }
}

impl Valid for raw_buffer::RawBuffer {}

impl Valid for sni::Sni {
    fn valid(&self) -> Validity {
        rule::min_len(&self.default_value, 1).within("default_value")?;
        Ok(())
    }
}

impl Valid for on_demand_secret::Config {
    fn valid(&self) -> Validity {
        rule::required(&self.config_source).within("config_source")?;
        if let Some(value) = &self.config_source {
            value.valid().within("config_source")?;
        }
        rule::required(&self.certificate_mapper).within("certificate_mapper")?;
        if let Some(value) = &self.certificate_mapper {
            value.valid().within("certificate_mapper")?;
        }
        Ok(())
    }
}

impl Valid for tls::CertificateValidationContext {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.trusted_ca {
            value.valid().within("trusted_ca")?;
        }
        for (at, value) in self.verify_certificate_hash.iter().enumerate() {
            rule::min_len(value, 64).item("verify_certificate_hash", at)?;
            rule::max_bytes(value, 95).item("verify_certificate_hash", at)?;
        }
        for (at, value) in self.verify_certificate_spki.iter().enumerate() {
            rule::min_len(value, 44).item("verify_certificate_spki", at)?;
            rule::max_bytes(value, 44).item("verify_certificate_spki", at)?;
        }
        if let Some(value) = &self.crl {
            value.valid().within("crl")?;
        }
        for (at, value) in self.match_subject_alt_names.iter().enumerate() {
            value.valid().item("match_subject_alt_names", at)?;
        }
        rule::defined(
            self.trust_chain_verification,
            tls::certificate_validation_context::TrustChainVerification::is_valid,
        )
        .within("trust_chain_verification")?;
        if let Some(value) = &self.custom_validator_config {
            value.valid().within("custom_validator_config")?;
        }
        for (at, value) in self.match_typed_subject_alt_names.iter().enumerate() {
            value.valid().item("match_typed_subject_alt_names", at)?;
        }
        if let Some(value) = &self.max_verify_depth {
            rule::lte(value.value, 100).within("max_verify_depth")?;
        }
        Ok(())
    }
}

impl Valid for tls::CommonTlsContext {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.tls_params {
            value.valid().within("tls_params")?;
        }
        for (at, value) in self.tls_certificates.iter().enumerate() {
            value.valid().item("tls_certificates", at)?;
        }
        for (at, value) in self.tls_certificate_sds_secret_configs.iter().enumerate() {
            value.valid().item("tls_certificate_sds_secret_configs", at)?;
        }
        if let Some(value) = &self.custom_handshaker {
            value.valid().within("custom_handshaker")?;
        }
        if let Some(value) = &self.custom_tls_certificate_selector {
            value.valid().within("custom_tls_certificate_selector")?;
        }
        match &self.validation_context_type {
            Some(tls::common_tls_context::ValidationContextType::ValidationContext(value)) => {
                value.valid().within("validation_context")?;
            }
            Some(tls::common_tls_context::ValidationContextType::ValidationContextSdsSecretConfig(value)) => {
                value.valid().within("validation_context_sds_secret_config")?;
            }
            Some(tls::common_tls_context::ValidationContextType::CombinedValidationContext(value)) => {
                value.valid().within("combined_validation_context")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for tls::common_tls_context::CombinedCertificateValidationContext {
    fn valid(&self) -> Validity {
        rule::required(&self.default_validation_context).within("default_validation_context")?;
        if let Some(value) = &self.default_validation_context {
            value.valid().within("default_validation_context")?;
        }
        rule::required(&self.validation_context_sds_secret_config)
            .within("validation_context_sds_secret_config")?;
        if let Some(value) = &self.validation_context_sds_secret_config {
            value.valid().within("validation_context_sds_secret_config")?;
        }
        Ok(())
    }
}

impl Valid for tls::DownstreamTlsContext {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.common_tls_context {
            value.valid().within("common_tls_context")?;
        }
        if let Some(value) = &self.session_timeout {
            rule::lt(Span::of(value), Span::new(4294967296, 0)).within("session_timeout")?;
            rule::gte(Span::of(value), Span::new(0, 0)).within("session_timeout")?;
        }
        rule::defined(
            self.ocsp_staple_policy,
            tls::downstream_tls_context::OcspStaplePolicy::is_valid,
        )
        .within("ocsp_staple_policy")?;
        if let Some(tls::downstream_tls_context::SessionTicketKeysType::SessionTicketKeysSdsSecretConfig(
            value,
        )) = &self.session_ticket_keys_type
        {
            value.valid().within("session_ticket_keys_sds_secret_config")?;
        }
        Ok(())
    }
}

impl Valid for tls::SdsSecretConfig {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        if let Some(value) = &self.sds_config {
            value.valid().within("sds_config")?;
        }
        Ok(())
    }
}

impl Valid for tls::Secret {
    fn valid(&self) -> Validity {
        match &self.r#type {
            Some(tls::secret::Type::TlsCertificate(value)) => {
                value.valid().within("tls_certificate")?;
            }
            Some(tls::secret::Type::ValidationContext(value)) => {
                value.valid().within("validation_context")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for tls::SubjectAltNameMatcher {
    fn valid(&self) -> Validity {
        rule::defined(self.san_type, tls::subject_alt_name_matcher::SanType::is_valid).within("san_type")?;
        rule::none_of(self.san_type, &[0]).within("san_type")?;
        rule::required(&self.matcher).within("matcher")?;
        if let Some(value) = &self.matcher {
            value.valid().within("matcher")?;
        }
        Ok(())
    }
}

impl Valid for tls::TlsCertificate {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.certificate_chain {
            value.valid().within("certificate_chain")?;
        }
        if let Some(value) = &self.private_key {
            value.valid().within("private_key")?;
        }
        if let Some(value) = &self.password {
            value.valid().within("password")?;
        }
        if let Some(value) = &self.ocsp_staple {
            value.valid().within("ocsp_staple")?;
        }
        for (at, value) in self.signed_certificate_timestamp.iter().enumerate() {
            value.valid().item("signed_certificate_timestamp", at)?;
        }
        if let Some(value) = &self.pkcs12 {
            value.valid().within("pkcs12")?;
        }
        if let Some(value) = &self.tls_params {
            value.valid().within("tls_params")?;
        }
        Ok(())
    }
}

impl Valid for tls::TlsParameters {
    fn valid(&self) -> Validity {
        rule::defined(
            self.tls_minimum_protocol_version,
            tls::tls_parameters::TlsProtocol::is_valid,
        )
        .within("tls_minimum_protocol_version")?;
        rule::defined(
            self.tls_maximum_protocol_version,
            tls::tls_parameters::TlsProtocol::is_valid,
        )
        .within("tls_maximum_protocol_version")?;
        rule::max_items(self.compliance_policies.len(), 1).within("compliance_policies")?;
        Ok(())
    }
}

impl Valid for tls::UpstreamTlsContext {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.common_tls_context {
            value.valid().within("common_tls_context")?;
        }
        rule::max_bytes(&self.sni, 255).within("sni")?;
        Ok(())
    }
}

impl Valid for http::HttpProtocolOptions {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.common_http_protocol_options {
            value.valid().within("common_http_protocol_options")?;
        }
        if let Some(value) = &self.upstream_http_protocol_options {
            value.valid().within("upstream_http_protocol_options")?;
        }
        for (at, value) in self.http_filters.iter().enumerate() {
            value.valid().item("http_filters", at)?;
        }
        if let Some(value) = &self.header_validation_config {
            value.valid().within("header_validation_config")?;
        }
        for (at, value) in self.request_mirror_policies.iter().enumerate() {
            value.valid().item("request_mirror_policies", at)?;
        }
        for (at, value) in self.hash_policy.iter().enumerate() {
            value.valid().item("hash_policy", at)?;
        }
        if let Some(value) = &self.retry_policy {
            value.valid().within("retry_policy")?;
        }
        rule::required(&self.upstream_protocol_options).within("upstream_protocol_options")?;
        match &self.upstream_protocol_options {
            Some(http::http_protocol_options::UpstreamProtocolOptions::ExplicitHttpConfig(value)) => {
                value.valid().within("explicit_http_config")?;
            }
            Some(http::http_protocol_options::UpstreamProtocolOptions::UseDownstreamProtocolConfig(
                value,
            )) => {
                value.valid().within("use_downstream_protocol_config")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for http::http_protocol_options::ExplicitHttpConfig {
    fn valid(&self) -> Validity {
        rule::required(&self.protocol_config).within("protocol_config")?;
        match &self.protocol_config {
            Some(http::http_protocol_options::explicit_http_config::ProtocolConfig::HttpProtocolOptions(
                value,
            )) => {
                value.valid().within("http_protocol_options")?;
            }
            Some(
                http::http_protocol_options::explicit_http_config::ProtocolConfig::Http2ProtocolOptions(
                    value,
                ),
            ) => {
                value.valid().within("http2_protocol_options")?;
            }
            Some(
                http::http_protocol_options::explicit_http_config::ProtocolConfig::Http3ProtocolOptions(
                    value,
                ),
            ) => {
                value.valid().within("http3_protocol_options")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for http::http_protocol_options::UseDownstreamHttpConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.http_protocol_options {
            value.valid().within("http_protocol_options")?;
        }
        if let Some(value) = &self.http2_protocol_options {
            value.valid().within("http2_protocol_options")?;
        }
        if let Some(value) = &self.http3_protocol_options {
            value.valid().within("http3_protocol_options")?;
        }
        Ok(())
    }
}

impl Valid for extensions_wasm::PluginConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.reload_config {
            value.valid().within("reload_config")?;
        }
        if let Some(extensions_wasm::plugin_config::Vm::VmConfig(value)) = &self.vm {
            value.valid().within("vm_config")?;
        }
        Ok(())
    }
}

impl Valid for extensions_wasm::ReloadConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.backoff {
            value.valid().within("backoff")?;
        }
        Ok(())
    }
}

impl Valid for extensions_wasm::VmConfig {
    fn valid(&self) -> Validity {
        if let Some(value) = &self.code {
            value.valid().within("code")?;
        }
        Ok(())
    }
}

impl Valid for envoy_type_matcher::RegexMatcher {
    fn valid(&self) -> Validity {
        rule::min_len(&self.regex, 1).within("regex")?;
        program_size::check(self)?;
        Ok(())
    }
}

impl Valid for envoy_type_matcher::StringMatcher {
    fn valid(&self) -> Validity {
        rule::required(&self.match_pattern).within("match_pattern")?;
        match &self.match_pattern {
            Some(envoy_type_matcher::string_matcher::MatchPattern::Prefix(value)) => {
                rule::min_len(value, 1).within("prefix")?;
            }
            Some(envoy_type_matcher::string_matcher::MatchPattern::Suffix(value)) => {
                rule::min_len(value, 1).within("suffix")?;
            }
            Some(envoy_type_matcher::string_matcher::MatchPattern::SafeRegex(value)) => {
                value.valid().within("safe_regex")?;
            }
            Some(envoy_type_matcher::string_matcher::MatchPattern::Contains(value)) => {
                rule::min_len(value, 1).within("contains")?;
            }
            Some(envoy_type_matcher::string_matcher::MatchPattern::Custom(value)) => {
                value.valid().within("custom")?;
            }
            _ => {}
        }
        Ok(())
    }
}

impl Valid for envoy_type::FractionalPercent {
    fn valid(&self) -> Validity {
        rule::defined(
            self.denominator,
            envoy_type::fractional_percent::DenominatorType::is_valid,
        )
        .within("denominator")?;
        Ok(())
    }
}

impl Valid for envoy_type::Percent {
    fn valid(&self) -> Validity {
        rule::lte(self.value, 100.0).within("value")?;
        rule::gte(self.value, 0.0).within("value")?;
        Ok(())
    }
}

impl Valid for protobuf::BytesValue {}

impl Valid for protobuf::StringValue {}

impl Valid for xds_core::TypedExtensionConfig {
    fn valid(&self) -> Validity {
        rule::min_len(&self.name, 1).within("name")?;
        rule::required(&self.typed_config).within("typed_config")?;
        Ok(())
    }
}

impl Valid for xds_type_matcher::RegexMatcher {
    fn valid(&self) -> Validity {
        rule::min_len(&self.regex, 1).within("regex")?;
        rule::required(&self.engine_type).within("engine_type")?;
        Ok(())
    }
}

impl Valid for xds_type_matcher::regex_matcher::GoogleRe2 {}

impl Valid for xds_type_matcher::StringMatcher {
    fn valid(&self) -> Validity {
        rule::required(&self.match_pattern).within("match_pattern")?;
        match &self.match_pattern {
            Some(xds_type_matcher::string_matcher::MatchPattern::Prefix(value)) => {
                rule::min_len(value, 1).within("prefix")?;
            }
            Some(xds_type_matcher::string_matcher::MatchPattern::Suffix(value)) => {
                rule::min_len(value, 1).within("suffix")?;
            }
            Some(xds_type_matcher::string_matcher::MatchPattern::SafeRegex(value)) => {
                value.valid().within("safe_regex")?;
            }
            Some(xds_type_matcher::string_matcher::MatchPattern::Contains(value)) => {
                rule::min_len(value, 1).within("contains")?;
            }
            Some(xds_type_matcher::string_matcher::MatchPattern::Custom(value)) => {
                value.valid().within("custom")?;
            }
            _ => {}
        }
        Ok(())
    }
}
