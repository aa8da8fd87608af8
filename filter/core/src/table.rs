//! The routes of one port. [`TableConfig`] is what the agent sends and the filter reads (JSON); [`RouteTable`] is
//! what runs: the first rule in declared order that matches wins, and an index narrows the rules that are tried.
//!
//! A field that the filter does not know is refused: a condition that is overlooked would let requests through.

mod compiled;
mod index;
mod rule;

pub(crate) use rule::{Match, Rule};

pub use compiled::{RouteTable, TableError};

use serde::{Deserialize, Serialize};

/// A table as data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// The Gateway's port number.
    pub port: u16,
    /// The hosts; no domain is in two of them.
    pub virtual_hosts: Vec<VirtualHostConfig>,
}

/// Hosts with the same rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualHostConfig {
    /// `name`, `*.suffix` or `*`, lower-case.
    pub domains: Vec<String>,
    /// Plain HTTP is answered with a redirect before any rule.
    #[serde(default, skip_serializing_if = "is_default")]
    pub https_redirect: bool,
    /// In declared order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rules: Vec<RuleConfig>,
}

/// Where a rule was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `namespace/name`.
    pub virtual_service: String,
    /// Its place in `spec.http`.
    pub rule: usize,
    /// Its name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: Option<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Where it was written.
    pub origin: Origin,
    /// Any of these; none matches every request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub matches: Vec<MatchConfig>,
    /// What happens then.
    pub action: Action,
}

/// All of its conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchConfig {
    /// Its place in the rule's `match`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub index: usize,
    /// The path without its query.
    #[serde(default, skip_serializing_if = "is_default")]
    pub uri: Option<StringMatcher>,
    /// For `uri`'s exact and prefix.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore_uri_case: bool,
    /// On pseudo headers and headers; the names are lower-case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: Vec<(String, StringMatcher)>,
    /// Headers that must not match; a missing one has the empty value.
    #[serde(default, skip_serializing_if = "is_default")]
    pub without_headers: Vec<(String, StringMatcher)>,
    /// On query parameters.
    #[serde(default, skip_serializing_if = "is_default")]
    pub query_params: Vec<(String, StringMatcher)>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StringMatcher {
    /// There is a value.
    Present,
    /// The whole value.
    Exact(String),
    /// Its start.
    Prefix(String),
    /// RE2, the whole value.
    Regex(String),
}

/// What happens to a request that matched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It goes to a destination.
    Route(Box<RouteAction>),
    /// It is sent elsewhere.
    Redirect(Box<RedirectAction>),
    /// It is answered at once.
    Direct(DirectAction),
}

/// `route` with everything that goes with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteAction {
    /// Never empty; weights are relative.
    pub destinations: Vec<WeightedCluster>,
    /// What the upstream sees as path.
    #[serde(default, skip_serializing_if = "is_default")]
    pub path: Option<PathRewrite>,
    /// The whole request's time in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout_ms: Option<u64>,
    /// Other than the default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: Option<Retries>,
}

/// A destination and its share, with the header operations of both levels already merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedCluster {
    /// `outbound|PORT|SUBSET|HOST`.
    pub cluster: String,
    /// Its share.
    pub weight: u32,
    /// What the upstream sees as host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authority: Option<String>,
    /// Towards the upstream.
    #[serde(default, skip_serializing_if = "is_default")]
    pub request: HeaderMutations,
    /// Towards the client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub response: HeaderMutations,
}

/// Remove first, then set, then add. Names are lower-case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderMutations {
    /// Replace.
    #[serde(default, skip_serializing_if = "is_default")]
    pub set: Vec<(String, String)>,
    /// Append.
    #[serde(default, skip_serializing_if = "is_default")]
    pub add: Vec<(String, String)>,
    /// Take off.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remove: Vec<String>,
}

/// How the path is rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PathRewrite {
    /// In place of what the match took: a prefix, or the whole path.
    Matched(String),
    /// Everywhere that the pattern matches; `\1` is its first group.
    Regex(String, String),
}

/// When to try again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// How many more times.
    pub attempts: u32,
    /// Each try's time in milliseconds.
    #[serde(default)]
    pub per_try_timeout_ms: Option<u64>,
    /// Envoy's conditions.
    pub retry_on: String,
}

impl Default for Retries {
    /// Istio's, and the native route's own.
    fn default() -> Self {
        Self {
            attempts: 2,
            per_try_timeout_ms: None,
            retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
                .to_owned(),
        }
    }
}

/// `redirect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectAction {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// Another scheme.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scheme: Option<String>,
    /// Another host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub authority: Option<String>,
    /// Which port is named.
    #[serde(default, skip_serializing_if = "is_default")]
    pub port: RedirectPort,
    /// The whole path.
    #[serde(default, skip_serializing_if = "is_default")]
    pub uri: Option<String>,
    /// In place of the matched prefix.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prefix_rewrite: Option<String>,
}

/// The port that a redirect names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RedirectPort {
    /// The request's own, as it was written.
    #[default]
    Keep,
    /// The default of the scheme: none is written.
    FromProtocol,
    /// The port on which the request came in.
    FromRequest,
    /// This one.
    Number(u16),
}

/// `directResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectAction {
    /// The status.
    pub status: u16,
    /// The body.
    #[serde(default, skip_serializing_if = "is_default")]
    pub body: Vec<u8>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
