//! `networking.istio.io` DestinationRule: its subsets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_as_default;

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
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<serde_json::Value>,
    /// Namespaces that see it.
    #[serde(deserialize_with = "null_as_default")]
    pub export_to: Vec<String>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<serde_json::Value>,
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
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<serde_json::Value>,
}
