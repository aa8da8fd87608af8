//! What upstreams are told: the annotation `sealgate.dev/identity` of a Gateway.

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::header::{Discrete, PREFIX};

/// Longer ones would not fit into the pattern with which Envoy removes clients' headers.
const LONGEST_PREFIX: usize = 48;
/// The required ends of prefixes, in any spelling. Headers that begin with a prefix are removed from requests on every
/// port, so a prefix must not match other headers; and a name that contains one of these belongs to the gateway,
/// whichever prefixes are in use ([`crate::names::owner`]).
pub(crate) const PREFIX_ENDS: [&str; 3] = ["client-cert-", "tls-client-", "ssl-client-"];
/// Prefixes of headers that steer the gateway itself.
const RESERVED: [&str; 2] = ["x-envoy-", "x-sealgate-"];

/// The annotation. Every field is optional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// Which of the discrete headers.
    pub headers: Vec<Discrete>,
    /// The prefix of their names, in lower case.
    #[serde(deserialize_with = "lower_case")]
    pub prefix: String,
    /// `x-forwarded-client-cert`.
    pub xfcc: Xfcc,
    /// RFC 9440.
    pub client_cert: CertHeader,
    /// Whether an unverified certificate is shown.
    pub unverified: Unverified,
    /// Whether a request may come on a connection whose TLS policy differs from its host's.
    pub misdirected: Misdirected,
}

/// How `x-forwarded-client-cert` is treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Xfcc {
    /// The client's is removed; ours is set.
    #[default]
    SanitizeSet,
    /// Ours follows what a client with a verified certificate sent.
    AppendForward,
    /// Upstreams get none.
    Off,
}

/// How much of the chain upstreams get in RFC 9440's headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CertHeader {
    /// Nothing.
    #[default]
    Off,
    /// `Client-Cert`.
    Leaf,
    /// Also `Client-Cert-Chain`.
    Chain,
}

/// What upstreams see of a certificate that was presented but not verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Unverified {
    /// Only that there is one.
    #[default]
    Hide,
    /// The discrete headers, with one that says `false`.
    Show,
}

/// A request whose host has another TLS policy than its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Misdirected {
    /// It is answered with 421.
    #[default]
    Reject,
    /// It is served.
    Allow,
}

/// An invalid annotation.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: {reason}")]
pub struct BadIdentity {
    /// The key.
    pub field: &'static str,
    /// The message.
    pub reason: String,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            headers: Discrete::ALL.to_vec(),
            prefix: PREFIX.to_owned(),
            xfcc: Xfcc::default(),
            client_cert: CertHeader::default(),
            unverified: Unverified::default(),
            misdirected: Misdirected::default(),
        }
    }
}

impl IdentityConfig {
    /// Checks whether it is valid.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn check(&self) -> Result<(), BadIdentity> {
        let bad = |field, reason: String| Err(BadIdentity { field, reason });
        let is_lower_token =
            |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase() || b"-_.".contains(&byte);
        let prefix = self.prefix.as_str();
        if prefix.is_empty() || prefix.len() > LONGEST_PREFIX || !prefix.bytes().all(is_lower_token) {
            let reason = format!("{prefix:?}: 1 to {LONGEST_PREFIX} letters, digits, - _ . are taken");
            return bad("prefix", reason);
        }
        let folded = prefix.replace('_', "-");
        if let Some(reserved) = RESERVED.iter().find(|reserved| folded.starts_with(**reserved)) {
            return bad("prefix", format!("{prefix:?}: {reserved} is the gateway's own"));
        }
        if !PREFIX_ENDS.iter().any(|end| folded.ends_with(end)) {
            let ends = PREFIX_ENDS.join(", ");
            return bad("prefix", format!("{prefix:?}: a prefix ends in one of {ends}"));
        }
        if self.unverified == Unverified::Show && !self.headers.contains(&Discrete::Verified) {
            let reason = "show: needs verified among the headers, or nobody could tell".to_owned();
            return bad("unverified", reason);
        }
        if self.xfcc == Xfcc::AppendForward && self.client_cert == CertHeader::Chain {
            let reason = "chain: cannot be had beside xfcc: appendForward".to_owned();
            return bad("clientCert", reason);
        }
        Ok(())
    }

    /// Whether a discrete header is requested.
    #[must_use]
    pub fn has(&self, header: Discrete) -> bool {
        self.headers.contains(&header)
    }

    /// Whether upstreams are told anything.
    #[must_use]
    pub fn tells_something(&self) -> bool {
        !self.headers.is_empty() || self.xfcc != Xfcc::Off || self.client_cert != CertHeader::Off
    }

    /// Whether the whole chain is needed.
    #[must_use]
    pub fn wants_chain(&self) -> bool {
        self.client_cert == CertHeader::Chain
    }

    /// Its prefix, unless it is the one that is always guarded.
    #[must_use]
    pub fn own_prefix(&self) -> Option<&str> {
        Some(self.prefix.as_str()).filter(|prefix| *prefix != PREFIX)
    }
}

/// Header names are case-insensitive.
fn lower_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.to_ascii_lowercase())
}
