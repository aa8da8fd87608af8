//! What a rule does, as data.

use rkyv::with::{AsBox, Map};
use serde::{Deserialize, Serialize};

use super::{StringMatcher, is_default};

/// `route` with everything that goes with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct RouteAction {
    /// Never empty; weights are relative.
    pub destinations: Vec<WeightedCluster>,
    /// The path that the upstream sees.
    #[serde(default, skip_serializing_if = "is_default")]
    pub path: Option<PathRewrite>,
    /// The timeout of the whole request in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout_ms: Option<u64>,
    /// Retries, if not the default. Few rules have them, so they are stored elsewhere in a table's bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    #[rkyv(with = Map<AsBox>)]
    pub retries: Option<Retries>,
    /// Who gets a copy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mirrors: Vec<Mirror>,
    /// Injected faults, before everything else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fault: Option<Box<Fault>>,
    /// Cross-origin rules.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cors: Option<Box<Cors>>,
}

/// A destination that gets copies of requests, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// `outbound|PORT|SUBSET|HOST`.
    pub cluster: String,
    /// The share of the requests, above 0 and up to 100.
    pub percent: f64,
}

/// A destination and its share, with the header operations of both levels already merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct WeightedCluster {
    /// `outbound|PORT|SUBSET|HOST`.
    pub cluster: String,
    /// Its share.
    pub weight: u32,
    /// The host that the upstream sees.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct HeaderMutations {
    /// Replace.
    #[serde(default, skip_serializing_if = "is_default")]
    pub set: Vec<(String, String)>,
    /// Append.
    #[serde(default, skip_serializing_if = "is_default")]
    pub add: Vec<(String, String)>,
    /// Remove.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remove: Vec<String>,
    /// Replace or append a value with commands.
    #[serde(default, skip_serializing_if = "is_default")]
    pub formats: Vec<HeaderFormat>,
}

/// A header whose value has [commands](crate::header_format). It comes after those of the same kind without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct HeaderFormat {
    /// Lower-case.
    pub name: String,
    /// As written.
    pub format: String,
    /// Whether it is added to others of that name, instead of replacing them.
    pub append: bool,
}

impl HeaderMutations {
    /// The size of its names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let pairs = self.set.iter().chain(&self.add);
        let pairs: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
        let formats = self.formats.iter();
        let formats: usize = formats.map(|own| own.name.len() + own.format.len()).sum();
        pairs + formats + self.remove.iter().map(String::len).sum::<usize>()
    }
}

/// How the path is rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(rename_all = "camelCase")]
pub enum PathRewrite {
    /// Replaces what the condition matched: a prefix, or the whole path.
    Matched(String),
    /// Replaces every match of the pattern; `\1` is its first group.
    Regex(String, String),
}

/// When to try again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// How many more times.
    pub attempts: u32,
    /// The timeout of each try in milliseconds.
    #[serde(default)]
    pub per_try_timeout_ms: Option<u64>,
    /// Envoy's conditions.
    pub retry_on: String,
    /// Conditions about a gRPC answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grpc_on: String,
    /// Status codes to retry on, separated by commas.
    #[serde(default, skip_serializing_if = "is_default")]
    pub status_codes: String,
}

impl Default for Retries {
    /// The default of Istio, and of the native routes.
    fn default() -> Self {
        Self {
            attempts: 2,
            per_try_timeout_ms: None,
            retry_on: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
                .to_owned(),
            grpc_on: "unavailable,cancelled".to_owned(),
            status_codes: String::new(),
        }
    }
}

/// `redirect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
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
    /// Replaces the matched prefix.
    #[serde(default, skip_serializing_if = "is_default")]
    pub prefix_rewrite: Option<String>,
    /// Header operations on the answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub response: HeaderMutations,
}

/// The port that a redirect names.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize,
)]
#[rkyv(derive(Debug))]
#[serde(rename_all = "camelCase")]
pub enum RedirectPort {
    /// The request's, as written.
    #[default]
    Keep,
    /// The default of the scheme: none is written.
    FromProtocol,
    /// The one that the client wrote, or the one on which the request came in.
    FromRequest,
    /// This one.
    Number(u16),
}

/// `directResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct DirectAction {
    /// The status.
    pub status: u16,
    /// The body.
    #[serde(default, skip_serializing_if = "is_default")]
    pub body: Vec<u8>,
    /// Header operations on the answer.
    #[serde(default, skip_serializing_if = "is_default")]
    pub response: HeaderMutations,
}

/// `fault`: first the delay, then the abort, each for a percentage of the requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Wait first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub delay: Option<Delay>,
    /// Answer with a failure.
    #[serde(default, skip_serializing_if = "is_default")]
    pub abort: Option<Abort>,
}

/// `fault.delay`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// How long, in milliseconds.
    pub ms: u64,
    /// The share of the requests, from 0 to 100.
    pub percent: f64,
}

/// `fault.abort`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// The status of the answer.
    pub status: AbortStatus,
    /// The share of the requests, from 0 to 100.
    pub percent: f64,
}

/// What an aborted request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(rename_all = "camelCase")]
pub enum AbortStatus {
    /// From 200 to 599.
    Http(u16),
    /// gRPC's number, from 0 to 16.
    Grpc(u8),
}

/// `corsPolicy`, as Envoy's filter reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, rkyv::Archive, rkyv::Serialize)]
#[rkyv(derive(Debug))]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// Any of these.
    pub origins: Vec<StringMatcher>,
    /// `access-control-allow-methods`; `*` allows what was requested, empty sends none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub methods: String,
    /// `access-control-allow-headers`, in the same way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: String,
    /// `access-control-expose-headers`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expose: String,
    /// `access-control-max-age`, in seconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_age: Option<u64>,
    /// `access-control-allow-credentials`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub credentials: bool,
    /// Whether a pre-flight of another origin is also answered here (`IGNORE`), and not by the upstream.
    #[serde(default, skip_serializing_if = "is_default")]
    pub answer_unmatched: bool,
}
