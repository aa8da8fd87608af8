//! The configuration of a port's filter, besides the table.

use serde::{Deserialize, Serialize};

use crate::identity::IdentityPolicy;

/// The configuration of a plugin, as JSON. Unknown fields are rejected: an ignored one might be a condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortConfig {
    /// The Gateway's port number.
    pub port: u16,
    /// What upstreams are told about connections; nothing for a chain that is in none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<IdentityPolicy>,
}

impl PortConfig {
    /// Whether a plugin's configuration is this kind: the agent writes the port first.
    #[must_use]
    pub fn is_one(text: &[u8]) -> bool {
        let text = text.trim_ascii_start().strip_prefix(b"{");
        text.is_some_and(|text| text.trim_ascii_start().starts_with(b"\"port\""))
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is not JSON, or not this type: the message says where.
    pub fn from_json(text: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(text)
    }
}
