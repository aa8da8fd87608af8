//! `networking.istio.io` Gateway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// `spec` of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySpec {
    /// What the gateway listens for.
    #[serde(deserialize_with = "null_as_default")]
    pub servers: Vec<Server>,
    /// Labels of the gateway that serves it; empty selects every one.
    #[serde(deserialize_with = "null_as_default")]
    pub selector: BTreeMap<String, String>,
}

/// One port with its hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Server {
    /// The port.
    pub port: Port,
    /// An address or socket to bind instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// `dns`, `ns/dns`, `./dns` or `*/dns`.
    #[serde(deserialize_with = "null_as_default")]
    pub hosts: Vec<String>,
    /// TLS settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Box<ServerTls>>,
    /// Unused by Istio itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_endpoint: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A server's port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Port {
    /// Its number.
    pub number: u32,
    /// `HTTP`, `HTTPS`, `HTTP2`, `GRPC`, `TLS`, ...
    #[serde(deserialize_with = "null_as_default")]
    pub protocol: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Deprecated in Istio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_port: Option<u32>,
}

/// A server's `tls`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct ServerTls {
    /// Answer plain HTTP with a redirect.
    #[serde(deserialize_with = "null_as_default")]
    pub https_redirect: bool,
    /// `SIMPLE` (default), `MUTUAL`, `OPTIONAL_MUTUAL`, `PASSTHROUGH`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// A file on Envoy's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_certificate: Option<String>,
    /// A file on Envoy's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
    /// A file on Envoy's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
    /// A file on Envoy's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_crl: Option<String>,
    /// The Secret in the gateway's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_name: Option<String>,
    /// Several Secrets, for RSA and ECDSA.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub credential_names: Vec<String>,
    /// A Secret for the trust bundle alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_cert_credential_name: Option<String>,
    /// Files on Envoy's machine.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub tls_certificates: Vec<serde_json::Value>,
    /// A client's certificate must contain one of these names.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<String>,
    /// SPKI pins.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub verify_certificate_spki: Vec<String>,
    /// Certificate pins.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub verify_certificate_hash: Vec<String>,
    /// `TLSV1_2`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_protocol_version: Option<String>,
    /// `TLSV1_3`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_protocol_version: Option<String>,
    /// TLS 1.2 suites by OpenSSL's names.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub cipher_suites: Vec<String>,
}
