//! `networking.istio.io` DestinationRule: its subsets, and how requests are to be sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{TrafficPolicy, null_as_default};

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
    /// Proxies in its namespace that it applies to; without it, all clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<WorkloadSelector>,
}

/// `workloadSelector` of a DestinationRule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadSelector {
    /// Labels of the proxies.
    #[serde(deserialize_with = "null_as_default")]
    pub match_labels: BTreeMap<String, String>,
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
