//! The native routes after the filter. The filter decides; settings of Envoy's router that cannot be changed per
//! request have separate routes here, which the filter chooses with a header: a list of mirrors, and whether the
//! default retries apply.

use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, RuntimeFractionalPercent, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, RetryPolicy, Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost,
    header_matcher::HeaderMatchSpecifier,
    retry_policy::{RetryHostPredicate, retry_host_predicate::ConfigType},
    route,
    route_action::ClusterSpecifier,
    route_action::RequestMirrorPolicy,
    route_match::PathSpecifier,
};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::envoy::r#type::v3::{FractionalPercent, fractional_percent::DenominatorType};
use envoy_types::pb::google::protobuf::{Any, Duration};
use prost::Name as _;
use sealgate_core::names;
use sealgate_core::rules::{Mirror, Retries};
use sealgate_model::resolved::ServedPort;

use super::{named, wire};
use crate::envoy_limits::{EnvoyLimit, EnvoyLimits};

/// Headers that the filter may set and no upstream or mirror may see. Envoy's router removes its own.
pub(super) const TAKEN_OFF: [&str; 5] = [
    names::CLUSTER,
    names::MIRRORS,
    names::FAULT_DELAY,
    names::FAULT_ABORT,
    names::FAULT_ABORT_GRPC,
];

/// Prevents retries at endpoints that have been tried.
pub(super) const PREVIOUS_HOSTS: &str = "envoy.retry_host_predicates.previous_hosts";
/// How many times a retry looks for another endpoint. Istio stops after 5: with two endpoints, one retry in 64 then
/// goes to the one that failed (seen in a test). A look costs less than a microsecond, and only retries look.
pub(super) const SELECTIONS: i64 = 32;

pub(super) fn build(port: &ServedPort, limits: &EnvoyLimits) -> RouteConfiguration {
    let idle = limits.of(EnvoyLimit::StreamIdle) > 0;
    let mirrored = port
        .mirrors
        .iter()
        .flat_map(|(key, list)| all(&[is(names::MIRRORS, key)], list, idle));
    RouteConfiguration {
        name: named::listener(port.number),
        virtual_hosts: vec![VirtualHost {
            name: "all".to_owned(),
            domains: vec!["*".to_owned()],
            // The last one takes every request, including those whose list of mirrors is not here yet or no longer.
            routes: mirrored.chain(all(&[], &[], idle)).collect(),
            ..VirtualHost::default()
        }],
        // A cluster may be removed before the listener is; until then, its requests are answered with 503.
        validate_clusters: wire::no(),
        ..RouteConfiguration::default()
    }
}

/// A rule's `timeout` comes as a header. It takes precedence over the limit for idle requests, if there is one.
fn all(conditions: &[HeaderMatcher], mirrors: &[Mirror], idle: bool) -> Vec<Route> {
    let own_timeout = [conditions, &[is_present(names::TIMEOUT_MS)]].concat();
    let patient = idle.then(|| pair(&own_timeout, mirrors).map(without_idle_timeout));
    let all = patient.into_iter().flatten();
    all.chain(pair(conditions, mirrors)).collect()
}

fn without_idle_timeout(mut route: Route) -> Route {
    if let Some(route::Action::Route(action)) = &mut route.action {
        action.idle_timeout = Some(Duration::default());
    }
    route
}

/// A rule's `retries` come as headers, which Envoy adds to the route's policy, so that policy must not say when to
/// retry.
fn pair(conditions: &[HeaderMatcher], mirrors: &[Mirror]) -> [Route; 2] {
    let own_retries = [conditions, &[is_present(names::RETRY_ON)]].concat();
    [
        route(own_retries, mirrors, elsewhere()),
        route(conditions.to_vec(), mirrors, default_retries()),
    ]
}

/// The filter names the cluster in a header; without it, nothing is routed.
fn route(headers: Vec<HeaderMatcher>, mirrors: &[Mirror], retries: RetryPolicy) -> Route {
    let action = RouteAction {
        cluster_specifier: Some(ClusterSpecifier::ClusterHeader(names::CLUSTER.to_owned())),
        // Off unless the filter sets one for this request (`timeout`).
        timeout: Some(Duration::default()),
        retry_policy: Some(retries),
        request_mirror_policies: mirrors.iter().map(mirror).collect(),
        ..RouteAction::default()
    };
    Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(PathSpecifier::Prefix("/".to_owned())),
            headers,
            ..RouteMatch::default()
        }),
        request_headers_to_add: vec![plain_upgrade()],
        request_headers_to_remove: TAKEN_OFF.map(str::to_owned).into(),
        action: Some(route::Action::Route(action)),
        ..Route::default()
    }
}

/// `connection` exists only on upgrades, as the client wrote it: an upstream would treat a header that it names as
/// hop-by-hop, and drop what the gateway says about the client.
fn plain_upgrade() -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: "connection".to_owned(),
            value: "Upgrade".to_owned(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExists.into(),
        ..HeaderValueOption::default()
    }
}

/// Istio's default.
fn default_retries() -> RetryPolicy {
    let retries = Retries::default();
    RetryPolicy {
        num_retries: wire::uint(retries.attempts),
        retry_on: retries.retry_on,
        ..elsewhere()
    }
}

/// As in Istio: an endpoint that has just failed is not chosen again, if another one is found soon.
fn elsewhere() -> RetryPolicy {
    let previous_hosts = RetryHostPredicate {
        name: PREVIOUS_HOSTS.to_owned(),
        config_type: Some(ConfigType::TypedConfig(Any {
            type_url: PreviousHostsPredicate::type_url(),
            // It has no fields.
            value: Vec::new(),
        })),
    };
    RetryPolicy {
        retry_host_predicate: vec![previous_hosts],
        host_selection_retry_max_attempts: SELECTIONS,
        ..RetryPolicy::default()
    }
}

fn mirror(mirror: &Mirror) -> RequestMirrorPolicy {
    let share = FractionalPercent {
        // As Istio rounds it.
        numerator: (mirror.percent * 10_000.0) as u32,
        denominator: DenominatorType::Million.into(),
    };
    RequestMirrorPolicy {
        cluster: mirror.cluster.clone(),
        runtime_fraction: Some(RuntimeFractionalPercent {
            default_value: Some(share),
            ..RuntimeFractionalPercent::default()
        }),
        trace_sampled: wire::no(),
        // As in Istio. A name with the suffix `-shadow` would be in no certificate, and in no list of hosts.
        disable_shadow_host_suffix_append: true,
        ..RequestMirrorPolicy::default()
    }
}

fn is_present(name: &str) -> HeaderMatcher {
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
        ..HeaderMatcher::default()
    }
}

fn is(name: &str, value: &str) -> HeaderMatcher {
    let exact = StringMatcher {
        match_pattern: Some(MatchPattern::Exact(value.to_owned())),
        ..StringMatcher::default()
    };
    HeaderMatcher {
        name: name.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(exact)),
        ..HeaderMatcher::default()
    }
}
