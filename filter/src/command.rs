//! Headers with Envoy's command operators in their values: what the commands ask for, from the host.

use proxy_wasm::types::Status;
use sealgate_core::header_format::{Fact, Facts, value};

use crate::host::{self, Side};

/// What the host knows of this request.
struct HostFacts;

impl Facts for HostFacts {
    fn fact(&self, fact: Fact) -> Option<Vec<u8>> {
        let path: &[&str] = match fact {
            Fact::RemoteAddress => &["source", "address"],
            Fact::LocalAddress => &["destination", "address"],
            Fact::Protocol => &["request", "protocol"],
            Fact::ServerName => &["connection", "requested_server_name"],
            Fact::TlsVersion => &["connection", "tls_version"],
            Fact::PeerSubject => &["connection", "subject_peer_certificate"],
            Fact::PeerFingerprint => &["connection", "sha256_peer_certificate_digest"],
            Fact::LocalSubject => &["connection", "subject_local_certificate"],
            Fact::StartTime => &["request", "time"],
            Fact::ResponseCode => return host::response_value(":status").ok().flatten(),
        };
        host::property(path).ok().flatten()
    }

    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        host::request_value(if name == "host" { ":authority" } else { name })
            .ok()
            .flatten()
    }
}

/// Replaces a header, or appends one, unless its value comes out empty.
pub(crate) fn write(side: Side, name: &str, format: &str, append: bool) -> Result<(), Status> {
    match value(format, &HostFacts) {
        Some(value) if append => host::add(side, name, &value),
        Some(value) => host::set(side, name, &value),
        None => Ok(()),
    }
}
