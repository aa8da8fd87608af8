//! Listeners, each with one part that Envoy rejects.

use envoy_types::pb::envoy::config::core::v3::{
    AggregatedConfigSource, ConfigSource, DataSource, ExtensionConfigSource, HeaderValue, HeaderValueOption,
    RuntimeFractionalPercent, TypedExtensionConfig, config_source::ConfigSourceSpecifier,
};
use envoy_types::pb::envoy::config::listener::v3::ListenerFilter;
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, RouteAction, RouteMatch, VirtualHost, header_matcher::HeaderMatchSpecifier, route_action,
    route_match::PathSpecifier,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, SdsSecretConfig, TlsCertificate, TlsParameters, subject_alt_name_matcher::SanType,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{
    RegexMatcher, StringMatcher, string_matcher::MatchPattern,
};

use super::{ListenerParts, Spoiled, chain, number, san};

const MANAGER: &str = "HttpConnectionManager.";
const HOST: &str = "HttpConnectionManager.route_config.virtual_hosts[0].";
const ROUTE: &str = "HttpConnectionManager.route_config.virtual_hosts[0].routes[0].";
const TRUST: &str = "DownstreamTlsContext.common_tls_context.validation_context.";
const TLS: &str = "DownstreamTlsContext.common_tls_context.";

/// Where the field is, and the case.
pub const LISTENERS: &[(&str, Spoiled<ListenerParts>)] = &[
    (
        MANAGER,
        (
            "no-text",
            |parts| parts.manager.stat_prefix.clear(),
            "stat_prefix: at least 1 characters",
        ),
    ),
    (
        MANAGER,
        (
            "window",
            |parts| {
                parts
                    .manager
                    .http2_protocol_options
                    .get_or_insert_default()
                    .initial_stream_window_size = number(1000);
            },
            "http2_protocol_options.initial_stream_window_size: at least 65535",
        ),
    ),
    (
        MANAGER,
        (
            "no-type-urls",
            |parts| {
                parts.manager.http_filters = vec![HttpFilter {
                    name: "a".to_owned(),
                    config_type: Some(http_filter::ConfigType::ConfigDiscovery(ExtensionConfigSource {
                        config_source: Some(ads()),
                        ..ExtensionConfigSource::default()
                    })),
                    ..HttpFilter::default()
                }];
            },
            "http_filters[0].config_discovery.type_urls: at least 1 of them",
        ),
    ),
    (
        MANAGER,
        (
            "no-any",
            |parts| {
                parts.manager.early_header_mutation_extensions = vec![TypedExtensionConfig {
                    name: "a".to_owned(),
                    ..TypedExtensionConfig::default()
                }];
            },
            "early_header_mutation_extensions[0].typed_config: it is missing",
        ),
    ),
    (
        HOST,
        (
            "no-domains",
            |parts| parts.host.domains.clear(),
            "domains: at least 1 of them",
        ),
    ),
    (
        HOST,
        (
            "domain",
            |parts| parts.host.domains = vec!["a\nb".to_owned()],
            "domains[0]: a value that a header can have",
        ),
    ),
    (
        ROUTE,
        (
            "no-path",
            |parts| path(parts).path_specifier = None,
            "match.path_specifier: it is missing",
        ),
    ),
    (
        ROUTE,
        (
            "no-match",
            |parts| parts.route.r#match = None,
            "match: it is missing",
        ),
    ),
    (
        ROUTE,
        (
            "pattern",
            |parts| {
                path(parts).path_specifier = Some(PathSpecifier::PathSeparatedPrefix("/a/".to_owned()));
            },
            "match.path_separated_prefix: it matches ^[^?#]+[^?#/]$",
        ),
    ),
    (
        ROUTE,
        (
            "no-cluster",
            |parts| parts.action = RouteAction::default(),
            "route.cluster_specifier: it is missing",
        ),
    ),
    (
        ROUTE,
        (
            "header-name",
            |parts| parts.route.request_headers_to_remove = vec!["a\nb".to_owned()],
            "request_headers_to_remove[0]: a name that a header can have",
        ),
    ),
    (
        ROUTE,
        (
            "header-value",
            |parts| parts.route.request_headers_to_add = vec![header("a", "b\nc")],
            "request_headers_to_add[0].header.value: a value that a header can have",
        ),
    ),
    (
        ROUTE,
        (
            "header-length",
            |parts| parts.route.request_headers_to_add = vec![header(&"a".repeat(16_385), "b")],
            "request_headers_to_add[0].header.key: at most 16384 bytes",
        ),
    ),
    (
        ROUTE,
        (
            "no-header",
            |parts| parts.route.request_headers_to_add = vec![HeaderValueOption::default()],
            "request_headers_to_add[0].header: it is missing",
        ),
    ),
    (
        ROUTE,
        (
            "no-share",
            |parts| {
                parts.action.request_mirror_policies = vec![route_action::RequestMirrorPolicy {
                    cluster: "a".to_owned(),
                    runtime_fraction: Some(RuntimeFractionalPercent::default()),
                    ..route_action::RequestMirrorPolicy::default()
                }];
            },
            "route.request_mirror_policies[0].runtime_fraction.default_value: it is missing",
        ),
    ),
    (
        ROUTE,
        (
            "program-size",
            |parts| path(parts).headers = vec![regex("x".repeat(97))],
            "match.headers[0].string_match.safe_regex.regex: \
             a regular expression whose program is about 101 long; at most 100",
        ),
    ),
    (
        TRUST,
        (
            "pin",
            |parts| parts.trust.verify_certificate_spki = vec!["short".to_owned()],
            "verify_certificate_spki[0]: at least 44 characters",
        ),
    ),
    (
        TRUST,
        (
            "long-hash",
            |parts| parts.trust.verify_certificate_hash = vec!["a".repeat(96)],
            "verify_certificate_hash[0]: at most 95 bytes",
        ),
    ),
    (
        TRUST,
        (
            "kind-of-name",
            |parts| parts.trust.match_typed_subject_alt_names = vec![san(SanType::Unspecified)],
            "match_typed_subject_alt_names[0].san_type: none of [0]",
        ),
    ),
    (
        TLS,
        (
            "no-source",
            |parts| {
                common(parts).tls_certificates = vec![TlsCertificate {
                    certificate_chain: Some(DataSource::default()),
                    ..TlsCertificate::default()
                }];
            },
            "tls_certificates[0].certificate_chain.specifier: it is missing",
        ),
    ),
    (
        TLS,
        (
            "no-secret",
            |parts| common(parts).tls_certificate_sds_secret_configs = vec![SdsSecretConfig::default()],
            "tls_certificate_sds_secret_configs[0].name: at least 1 characters",
        ),
    ),
    (
        TLS,
        (
            "tls-version",
            |parts| {
                common(parts).tls_params = Some(TlsParameters {
                    tls_minimum_protocol_version: 42,
                    ..TlsParameters::default()
                });
            },
            "tls_params.tls_minimum_protocol_version: 42 is not a value of this enum",
        ),
    ),
    (
        "Router.",
        (
            "in-a-list",
            |parts| parts.router.strict_check_headers = vec!["a".to_owned()],
            "strict_check_headers[0]: one of",
        ),
    ),
    (
        "",
        (
            "nameless-filter",
            |parts| parts.listener.listener_filters = vec![ListenerFilter::default()],
            "listener_filters[0].name: at least 1 characters",
        ),
    ),
    (
        "",
        (
            "port-of-a-match",
            |parts| {
                parts
                    .chain
                    .filter_chain_match
                    .get_or_insert_default()
                    .destination_port = number(0);
            },
            "filter_chains[0].filter_chain_match.destination_port: at least 1",
        ),
    ),
    (
        "",
        (
            "same-match",
            |parts| parts.listener.filter_chains = vec![chain(&["b.test", "a.test"])],
            "filter_chains[1].filter_chain_match: another chain has the same match: a.test",
        ),
    ),
    (
        "",
        (
            "same-match-of-one",
            |parts| parts.chain = chain(&["a.test", "a.test"]),
            "filter_chains[0].filter_chain_match: another chain has the same match: a.test",
        ),
    ),
    (
        "",
        (
            "star",
            |parts| parts.chain = chain(&["*a.test"]),
            "filter_chains[0].filter_chain_match.server_names[0]: \"*a.test\" has a star",
        ),
    ),
    (
        "",
        (
            "star-at-the-end",
            |parts| parts.chain = chain(&["a.*"]),
            "filter_chains[0].filter_chain_match.server_names[0]: \"a.*\" has a star",
        ),
    ),
    (
        "HttpConnectionManager.route_config.",
        (
            "domain-twice",
            |parts| parts.host.domains = ["a.test", "A.test"].map(str::to_owned).into(),
            "virtual_hosts[0]: the domain \"A.test\" occurs twice",
        ),
    ),
    (
        "HttpConnectionManager.route_config.",
        (
            "domain-of-two",
            |parts| {
                parts.routes.virtual_hosts = vec![VirtualHost {
                    name: "b".to_owned(),
                    domains: vec!["*".to_owned()],
                    ..VirtualHost::default()
                }];
            },
            "virtual_hosts[1]: the domain \"*\" occurs twice",
        ),
    ),
];

/// What the route matches.
pub fn path(parts: &mut ListenerParts) -> &mut RouteMatch {
    parts.route.r#match.get_or_insert_default()
}

fn common(parts: &mut ListenerParts) -> &mut CommonTlsContext {
    parts.tls.common_tls_context.get_or_insert_default()
}

fn header(key: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: key.to_owned(),
            value: value.to_owned(),
            ..HeaderValue::default()
        }),
        ..HeaderValueOption::default()
    }
}

/// A header that matches a regular expression.
#[must_use]
pub fn regex(regex: String) -> HeaderMatcher {
    let pattern = RegexMatcher {
        regex,
        ..RegexMatcher::default()
    };
    HeaderMatcher {
        name: "a".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(StringMatcher {
            match_pattern: Some(MatchPattern::SafeRegex(pattern)),
            ..StringMatcher::default()
        })),
        ..HeaderMatcher::default()
    }
}

fn ads() -> ConfigSource {
    ConfigSource {
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    }
}
