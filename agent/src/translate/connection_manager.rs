//! The HTTP connection manager: limits for an edge proxy, Envoy's own removal of forged headers, the filter by ECDS (so
//! that a route change never drains a listener), and the native routes after it.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation,
    header_mutation::{Action, RemoveOnMatch},
};
use envoy_types::pb::envoy::config::core::v3::{
    CidrRange, ExtensionConfigSource, Http2ProtocolOptions, HttpProtocolOptions, TypedExtensionConfig,
};
use envoy_types::pb::envoy::config::listener::v3::{Filter, filter};
use envoy_types::pb::envoy::extensions::filters::http::{router::v3::Router, wasm::v3::Wasm};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter,
    http_connection_manager::{
        InternalAddressConfig, PathWithEscapedSlashesAction, RouteSpecifier, ServerHeaderTransformation,
        UpgradeConfig,
    },
    http_filter,
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};
use prost::Name;
use sealgate_core::arrival::{EscapedSlashes, PathPolicy};
use sealgate_core::names;
use sealgate_model::resolved::{FilterChain, ServedPort};

use super::{access_log, alt_svc, fault, filter_config, identity, named, routes, wire};
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};
use crate::valid::Packer;

/// The settings that are the same for all listeners.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HttpSettings {
    pub(super) paths: PathPolicy,
    pub(super) limits: EnvoyLimits,
    pub(super) keeps_peer_metadata: bool,
}

pub(super) fn build(
    port: &ServedPort,
    chain: &FilterChain,
    settings: &HttpSettings,
    packer: &Packer,
) -> HttpConnectionManager {
    let HttpSettings {
        paths,
        limits,
        keeps_peer_metadata,
    } = *settings;
    let paths = paths.with(chain.meaning.escaped_slashes);
    let seconds = |limit| wire::limit(limits.of(limit));
    let number = |limit| wire::uint(limits.of(limit));
    let xfcc = identity::forwarding(chain);
    let guard = names::Guard {
        prefixes: port.prefixes.clone(),
        keeps_xfcc: identity::keeps_xfcc(chain),
        keeps_peer_metadata,
    };
    HttpConnectionManager {
        stat_prefix: named::listener(port.number),
        http_filters: filters(port, chain, packer),
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: seconds(EnvoyLimit::ConnectionIdle),
            ..Default::default()
        }),
        http2_protocol_options: Some(Http2ProtocolOptions {
            max_concurrent_streams: number(EnvoyLimit::Http2Streams),
            initial_stream_window_size: number(EnvoyLimit::Http2StreamWindow),
            initial_connection_window_size: number(EnvoyLimit::Http2ConnectionWindow),
            ..Default::default()
        }),
        // The upstream's `server` header reaches the client; Envoy does not reveal itself.
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        stream_idle_timeout: seconds(EnvoyLimit::StreamIdle),
        request_timeout: seconds(EnvoyLimit::Request),
        request_headers_timeout: seconds(EnvoyLimit::RequestHeaders),
        access_log: vec![access_log::build(packer)],
        use_remote_address: wire::yes(),
        internal_address_config: Some(nobody()),
        early_header_mutation_extensions: vec![remove_forged_headers(&guard, packer)],
        forward_client_cert_details: xfcc.0.into(),
        set_current_client_cert_details: xfcc.1,
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..Default::default()
        }],
        // Set even if false: otherwise, Envoy uses its runtime's setting.
        normalize_path: if paths.form.resolves_dots() {
            wire::yes()
        } else {
            wire::no()
        },
        merge_slashes: paths.form.merges_slashes(),
        path_with_escaped_slashes_action: escaped_slashes(paths).into(),
        route_specifier: Some(RouteSpecifier::RouteConfig(routes::build(port, &limits))),
        ..Default::default()
    }
}

/// The manager as the last filter of a chain.
pub(super) fn filter(manager: &HttpConnectionManager, packer: &Packer) -> Filter {
    Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(packer.any(manager))),
    }
}

fn escaped_slashes(paths: PathPolicy) -> PathWithEscapedSlashesAction {
    match paths.escaped_slashes() {
        EscapedSlashes::Kept => PathWithEscapedSlashesAction::KeepUnchanged,
        EscapedSlashes::Refused => PathWithEscapedSlashesAction::RejectRequest,
        EscapedSlashes::Redirected => PathWithEscapedSlashesAction::UnescapeAndRedirect,
        EscapedSlashes::Decoded => PathWithEscapedSlashesAction::UnescapeAndForward,
    }
}

/// Filters that ours controls by headers come after it, if any rule needs them; so do filters that add response headers
/// which its rules may change.
fn filters(port: &ServedPort, chain: &FilterChain, packer: &Packer) -> Vec<HttpFilter> {
    let delays = port.delays.then(|| fault::filter(packer));
    let told = chain.http3.then(|| alt_svc::filter(port.number, packer));
    [discovered(&filter_config::name(port.number))]
        .into_iter()
        .chain(delays)
        .chain(told)
        .chain([router(packer)])
        .collect()
}

/// A filter whose configuration comes by ECDS.
pub(super) fn discovered(name: &str) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::ConfigDiscovery(ExtensionConfigSource {
            // Without it, a listener would answer everything with 500, so it waits as long as the agent is away.
            config_source: Some(wire::from_ads(wire::seconds(0))),
            type_urls: vec![Wasm::type_url()],
            ..Default::default()
        })),
        ..Default::default()
    }
}

pub(super) fn router(packer: &Packer) -> HttpFilter {
    let router = Router {
        suppress_envoy_headers: true,
        ..Default::default()
    };
    HttpFilter {
        name: "envoy.filters.http.router".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(packer.any(&router))),
        ..Default::default()
    }
}

/// Removes every header name that the gateway itself uses, before anything else sees the request.
fn remove_forged_headers(guard: &names::Guard, packer: &Packer) -> TypedExtensionConfig {
    let remove = |regex| {
        let pattern = RegexMatcher {
            regex,
            ..Default::default()
        };
        let key_matcher = StringMatcher {
            match_pattern: Some(MatchPattern::SafeRegex(pattern)),
            ..Default::default()
        };
        Mutation {
            action: Some(Action::RemoveOnMatch(RemoveOnMatch {
                key_matcher: Some(key_matcher),
            })),
        }
    };
    let mutations = names::forged(guard).map(remove).collect();
    wire::extension(
        packer,
        "envoy.http.early_header_mutation.header_mutation",
        &HeaderMutation { mutations },
    )
}

/// An edge proxy trusts no address: every request is external, wherever it comes from. To Envoy, an empty list would
/// mean the private networks (RFC 1918), so it has one address that no client has.
fn nobody() -> InternalAddressConfig {
    InternalAddressConfig {
        cidr_ranges: vec![CidrRange {
            address_prefix: "255.255.255.255".to_owned(),
            prefix_len: wire::uint(32),
        }],
        ..Default::default()
    }
}
