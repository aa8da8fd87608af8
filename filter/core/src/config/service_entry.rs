//! `networking.istio.io` ServiceEntry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// `spec` of a ServiceEntry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceEntrySpec {
    /// Its names.
    #[serde(deserialize_with = "null_as_default")]
    pub hosts: Vec<String>,
    /// Virtual addresses; an ingress has no use for them.
    #[serde(deserialize_with = "null_as_default")]
    pub addresses: Vec<String>,
    /// Its ports.
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Vec<ServiceEntryPort>,
    /// `MESH_EXTERNAL` or `MESH_INTERNAL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// `STATIC`, `DNS`, `DNS_ROUND_ROBIN`, `DYNAMIC_DNS`, `NONE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// Its endpoints.
    #[serde(deserialize_with = "null_as_default")]
    pub endpoints: Vec<WorkloadEntry>,
    /// Selects its endpoints among the WorkloadEntries of its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_selector: Option<EntrySelector>,
    /// Namespaces that see it.
    #[serde(deserialize_with = "null_as_default")]
    pub export_to: Vec<String>,
    /// Names that certificates of its endpoints have, where TLS is asked for.
    #[serde(deserialize_with = "null_as_default")]
    pub subject_alt_names: Vec<String>,
}

/// A port of a ServiceEntry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceEntryPort {
    /// Its number.
    pub number: u32,
    /// `HTTP`, `HTTP2`, `GRPC`, ...
    #[serde(deserialize_with = "null_as_default")]
    pub protocol: String,
    /// Its name, by which endpoints map it.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// The endpoints' port, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_port: Option<u32>,
}

/// `workloadSelector` of a ServiceEntry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct EntrySelector {
    /// Labels of the workloads.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
}

/// An endpoint of a ServiceEntry, and `spec` of a WorkloadEntry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadEntry {
    /// An address or name.
    #[serde(deserialize_with = "null_as_default")]
    pub address: String,
    /// Port name to number.
    #[serde(deserialize_with = "null_as_default")]
    pub ports: BTreeMap<String, u32>,
    /// For subsets.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// Not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Region, zone and subzone, separated by slashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// Relative share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
}
