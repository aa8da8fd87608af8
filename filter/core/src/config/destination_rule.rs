//! `networking.istio.io` DestinationRule: its subsets, and how requests are to be sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PortSelector, null_as_default};

/// `spec` of a DestinationRule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct DestinationRuleSpec {
    /// The service.
    #[serde(deserialize_with = "null_as_default")]
    pub host: String,
    /// Named parts of it.
    #[serde(deserialize_with = "null_as_default")]
    pub subsets: Vec<Subset>,
    /// How requests are to be sent to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<Box<TrafficPolicy>>,
    /// Namespaces that see it.
    #[serde(deserialize_with = "null_as_default")]
    pub export_to: Vec<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<Value>,
}

/// A named part of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Subset {
    /// Its name.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Labels of its endpoints.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// How requests are to be sent to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<Box<TrafficPolicy>>,
}

/// `trafficPolicy`: of it `tls` is understood, and the rest is not carried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicy {
    /// TLS towards the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ClientTls>,
    /// In place of the rest for some ports.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub port_level_settings: Vec<PortTrafficPolicy>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<Value>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<Value>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<Value>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Value>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<Value>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<Value>,
}

/// `trafficPolicy.portLevelSettings`: what it leaves out has its default, whatever the rest of the policy says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct PortTrafficPolicy {
    /// The service's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<PortSelector>,
    /// TLS towards the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ClientTls>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<Value>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_pool: Option<Value>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<Value>,
}

/// `tls` of a policy: not carried out, so of it counts whether there is any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ClientTls {
    /// `DISABLE` (default), `SIMPLE`, `MUTUAL` or `ISTIO_MUTUAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_crl: Option<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_name: Option<String>,
    /// Not carried out.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_skip_verify: Option<bool>,
}

impl ClientTls {
    /// Whether it asks for TLS, in whatever words.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.mode.as_deref(), None | Some("" | "DISABLE"))
    }
}
