//! The routes of all ports as data: the agent makes a [`TableConfig`] from the users' objects. The
//! [table](crate::table) runs them, and stores each rule as an archived value of these types.

mod action;
mod archived;

pub use self::action::{
    Abort, AbortStatus, ArchivedAbort, ArchivedAbortStatus, ArchivedCors, ArchivedDelay,
    ArchivedDirectAction, ArchivedFault, ArchivedHeaderFormat, ArchivedHeaderMutations, ArchivedMirror,
    ArchivedPathRewrite, ArchivedRedirectAction, ArchivedRedirectPort, ArchivedRetries, ArchivedRouteAction,
    ArchivedWeightedCluster, Cors, Delay, DirectAction, Fault, HeaderFormat, HeaderMutations, Mirror,
    PathRewrite, RedirectAction, RedirectPort, Retries, RouteAction, WeightedCluster,
};
pub use self::archived::mirrors_key;

pub(crate) use self::archived::archived_mirrors_key;

use serde::{Deserialize, Serialize};

use crate::identity::PoliciesConfig;

/// The routes of one port as data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// The Gateway's port number.
    pub port: u16,
    /// The hosts; no domain is in two of them.
    pub virtual_hosts: Vec<VirtualHostConfig>,
    /// The policies for the port's connections.
    #[serde(default, skip_serializing_if = "is_default")]
    pub policies: PoliciesConfig,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct RuleOrigin {
    /// `namespace/name`.
    pub virtual_service: String,
    /// Its place in `spec.http`.
    pub rule: usize,
    /// Its name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: Option<String>,
    /// The rule that delegated to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub root: Option<Box<DelegatingRule>>,
}

/// The rule that delegated to another VirtualService.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct DelegatingRule {
    /// `namespace/name`.
    pub virtual_service: String,
    /// Its place in `spec.http`.
    pub rule: usize,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Where it was written.
    pub origin: RuleOrigin,
    /// Any of these; an empty list matches every request. In a host's bytes, each is a separate value.
    #[serde(default, skip_serializing_if = "is_default")]
    #[rkyv(with = rkyv::with::Skip)]
    pub matches: Vec<MatchConfig>,
    /// What happens then.
    pub action: Action,
}

/// All of its conditions must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct MatchConfig {
    /// Its place in the rule's `match`; in the root's, if a delegate's rule has none of its own.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It goes to a destination.
    Route(Box<RouteAction>),
    /// It is sent elsewhere.
    Redirect(Box<RedirectAction>),
    /// It is answered immediately.
    Direct(#[rkyv(with = rkyv::with::AsBox)] DirectAction),
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
