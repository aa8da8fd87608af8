//! What `/api/status`, `sealgate certs` and the metrics say: facts about certificates, never key material.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
pub use sealgate_model::FindingStatus;
use serde::{Deserialize, Serialize};

/// The whole status.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Whether the first list of objects is complete.
    pub synced: bool,
    /// How the source is doing.
    pub source: SourceStatus,
    /// How many times the agent has published a change since it started.
    pub publications: u64,
    /// How long proxies took to confirm credentials after publication, since the agent started.
    #[serde(default)]
    pub rotations: RotationsStatus,
    /// The Gateways that this gateway serves.
    pub gateways: Vec<GatewayStatus>,
    /// Every credential, referenced or not.
    pub credentials: Vec<CredentialStatus>,
    /// Proxies that are or were connected.
    pub proxies: Vec<ProxyStatus>,
    /// Certificates that proxies ask for by name.
    #[serde(default)]
    pub on_demand: OnDemandStatus,
    /// What each namespace uses of the shared budgets.
    #[serde(default)]
    pub budgets: Vec<BudgetStatus>,
    /// What connected proxies reject now.
    #[serde(default)]
    pub proxy_refusals: Vec<ProxyRefusalStatus>,
    /// Current errors and warnings.
    pub refusals: Vec<FindingStatus>,
}

/// The JSON Schema of the whole status, as an agent answers it.
#[must_use]
pub fn status_schema() -> schemars::Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Status>()
}

/// How long rotations took, for each proxy that had asked for the credential when it was published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationsStatus {
    /// By duration, ascending.
    pub buckets: Vec<BucketStatus>,
    /// The sum of all durations.
    pub sum_seconds: f64,
}

/// Rotations that took longer than the previous bucket's bound, and at most this one's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BucketStatus {
    /// The upper bound; null in the last bucket, which has none.
    pub at_most_seconds: Option<f64>,
    /// The number of rotations.
    pub count: u64,
}

/// What a namespace uses of one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// The namespace.
    pub namespace: String,
    /// `ports`, `hosts`, `prefixes`, `rules`, `destinations`, `mirrors` or `endpoints`.
    pub resource: String,
    /// How much it uses.
    pub used: u64,
    /// How much it may use.
    pub limit: u64,
}

/// How the source is doing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// Whether its first lists were complete, and all changes are being followed.
    pub up: bool,
    /// The watches of a Kubernetes source.
    pub watches: Vec<WatchStatus>,
}

/// One watch of a Kubernetes source.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WatchStatus {
    /// The kind, or the Secret.
    pub name: String,
    /// `listing`, `following`, `failed` or `missing`.
    pub state: String,
    /// The reason, if the state is not good.
    pub message: Option<String>,
    /// Since when it has been in this state.
    #[serde(default)]
    pub since: Option<String>,
    /// How many times it has failed since it started.
    #[serde(default)]
    pub failures: u64,
}

/// One Gateway.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// `namespace/name`.
    pub name: String,
    /// `443 HTTPS *.example.com`, one per server.
    pub servers: Vec<String>,
}

/// One credential. Times are RFC 3339.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialStatus {
    /// `namespace/name`, of a trust bundle `namespace/name-cacert`.
    pub name: String,
    /// `ready`, `pending`, `refused` or `ignored`.
    pub state: String,
    /// `keyPair` or `trustBundle`.
    pub kind: String,
    /// Why it is not ready, as a stable word.
    pub reason: Option<String>,
    /// The reason in words.
    pub message: Option<String>,
    /// Whether a good version is being served (also while a newer one is refused).
    pub served: bool,
    /// DNS names of the certificate.
    pub dns_names: Vec<String>,
    /// Subject, of a bundle one per CA.
    pub subjects: Vec<String>,
    /// Issuer.
    pub issuer: Option<String>,
    /// Serial number, lower-case hex.
    pub serial: Option<String>,
    /// SHA-256 of the certificate, lower-case hex.
    pub sha256: Option<String>,
    /// Not before.
    pub not_before: Option<String>,
    /// Not after; of a bundle the earliest.
    pub not_after: Option<String>,
    /// Whole days until `notAfter`; negative if it has passed.
    pub days_left: Option<i64>,
    /// `ECDSA-P256`.
    pub key_type: Option<String>,
    /// Content hash of what is served.
    pub version: Option<String>,
    /// When the served version was first served.
    pub last_rotated: Option<String>,
    /// How long the slowest proxy took to confirm the served version, in milliseconds. Only proxies count that had asked for it
    /// when it was published, and have confirmed it.
    pub rotation_ms: Option<f64>,
    /// Warnings about its dates, as codes of findings.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The proxies that have it or ask for it.
    pub proxies: Vec<HeldBy>,
}

/// Whether a proxy has what it should have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HeldState {
    /// It confirmed the served version.
    #[default]
    Current,
    /// It has not confirmed it yet.
    Behind,
    /// It rejected it.
    Refused,
    /// It is not connected.
    Gone,
}

impl HeldState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Current, Self::Behind, Self::Refused, Self::Gone];

    /// The same word as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Behind => "behind",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

/// What a proxy has of a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldBy {
    /// Its node id.
    pub node: String,
    /// Its state.
    #[serde(default)]
    pub state: HeldState,
    /// The version that it confirmed last, if any.
    pub version: Option<String>,
    /// Its error message, if it rejected the last one.
    pub refused: Option<String>,
}

/// A resource that a connected proxy rejects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyRefusalStatus {
    /// The proxy's node id.
    pub node: String,
    /// `Listener`, `Cluster`, ...
    pub r#type: String,
    /// The resource; null if the proxy rejected several at once.
    pub name: Option<String>,
    /// Which version of it.
    pub version: Option<String>,
    /// The proxy's error message.
    pub reason: String,
    /// Since when it has rejected the resource, in any version; null if it rejected several at once.
    #[serde(default)]
    pub since: Option<String>,
}

/// One proxy.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyStatus {
    /// Its node id.
    pub node: String,
    /// Whether it has an open stream.
    pub connected: bool,
    /// Since when it has been connected, or disconnected.
    #[serde(default)]
    pub since: Option<String>,
    /// Whether it has everything that it asks for, as far as the agent knows: the worst state of its certificates, or `refused`
    /// if it rejects anything else.
    #[serde(default)]
    pub state: HeldState,
    /// How many resources it keeps from a previous agent, because their objects cannot be read.
    #[serde(default)]
    pub unjudged: usize,
    /// What it confirmed, per type.
    pub types: Vec<TypeStatus>,
}

/// What a proxy confirmed of one type.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeStatus {
    /// `Secret`, `Listener`, ...
    pub r#type: String,
    /// Resource name to confirmed version.
    pub acknowledged: std::collections::BTreeMap<String, String>,
    /// The error message of its last rejection.
    pub refused: Option<String>,
    /// How many responses it has confirmed.
    #[serde(default)]
    pub confirmations: u64,
    /// How many it has rejected.
    #[serde(default)]
    pub refusals: u64,
    /// How many it keeps from a previous agent, because their objects cannot be read.
    #[serde(default)]
    pub unjudged: usize,
}

/// Certificates that proxies ask for by name, when a handshake needs them.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OnDemandStatus {
    /// Names that proxies hold now.
    pub resident: usize,
    /// How many times a proxy asked for a name that is not served.
    pub unknown: u64,
    /// How many times a name that is still served was taken back.
    pub taken_back: u64,
}
