//! The names of the headers: one list for writing them and for removing clients' headers of the same names.

use serde::{Deserialize, Serialize};

/// The default prefix of the discrete headers.
pub(super) const PREFIX: &str = "x-client-cert-";
/// Envoy's.
pub(super) const XFCC: &str = "x-forwarded-client-cert";
/// RFC 9440.
pub(super) const CLIENT_CERT: &str = "client-cert";
/// RFC 9440.
pub(super) const CLIENT_CERT_CHAIN: &str = "client-cert-chain";
/// Headers about the connection.
pub(super) const TLS: [&str; 3] = ["x-tls-version", "x-tls-cipher", "x-tls-sni"];

/// A word of the annotation's `headers`: one discrete header, or those of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Discrete {
    /// `true`, `false` or `none`.
    Verified,
    /// RFC 2253.
    Subject,
    /// RFC 2253.
    Issuer,
    /// Hex.
    Serial,
    /// Hex.
    Sha256,
    /// A date.
    NotBefore,
    /// A date.
    NotAfter,
    /// All of them.
    UriSan,
    /// All of them.
    DnsSan,
    /// All of them.
    IpSan,
    /// All of them.
    EmailSan,
    /// Version, cipher and SNI; these have no prefix.
    Tls,
}

impl Discrete {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::Verified,
        Self::Subject,
        Self::Issuer,
        Self::Serial,
        Self::Sha256,
        Self::NotBefore,
        Self::NotAfter,
        Self::UriSan,
        Self::DnsSan,
        Self::IpSan,
        Self::EmailSan,
        Self::Tls,
    ];

    /// What follows the prefix.
    pub(super) fn suffix(self) -> Option<&'static str> {
        Some(match self {
            Self::Verified => "verified",
            Self::Subject => "subject",
            Self::Issuer => "issuer",
            Self::Serial => "serial",
            Self::Sha256 => "sha256",
            Self::NotBefore => "not-before",
            Self::NotAfter => "not-after",
            Self::UriSan => "uri-san",
            Self::DnsSan => "dns-san",
            Self::IpSan => "ip-san",
            Self::EmailSan => "email-san",
            Self::Tls => return None,
        })
    }
}

/// Headers without a prefix, except those about the connection.
pub(crate) const FIXED: [&str; 3] = [XFCC, CLIENT_CERT, CLIENT_CERT_CHAIN];

/// Every header that is written with this prefix.
pub fn header_names(prefix: Option<&str>) -> impl Iterator<Item = String> {
    let prefix = prefix.unwrap_or(PREFIX).to_owned();
    let discrete = Discrete::ALL
        .into_iter()
        .filter_map(Discrete::suffix)
        .map(move |suffix| format!("{prefix}{suffix}"));
    let fixed = TLS.into_iter().chain(FIXED);
    discrete.chain(fixed.map(str::to_owned))
}
