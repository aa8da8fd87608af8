//! What is known about a connection if no agent configured its listener: what Envoy was made to record about it, if
//! anything, or else its properties. These have no cipher, and say that a resumed session's certificate is unverified.

use sealgate_core::identity::{Connection, FILTER_STATE, described};

use crate::host::{self, HostError};

/// The facts in the form that [`Connection::parse`] reads; nothing without TLS.
pub(super) fn facts() -> Result<Vec<u8>, HostError> {
    let noted = host::property(&["filter_state", FILTER_STATE])?;
    if let Some(noted) = noted.filter(|noted| Connection::parse(noted).is_some()) {
        return Ok(noted);
    }
    let version = text("tls_version")?;
    if version.is_empty() {
        return Ok(Vec::new());
    }
    let sha256 = text("sha256_peer_certificate_digest")?;
    let sni = text("requested_server_name")?;
    Ok(described(&sha256, &version, &sni).into_bytes())
}

fn text(property: &str) -> Result<String, HostError> {
    let value = host::property(&["connection", property])?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&value).into_owned())
}
