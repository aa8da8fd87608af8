//! Headers with Envoy's command operators in their values: what the commands ask for, from the host.

use proxy_wasm::types::{Bytes, Status};
use sealgate_core::header_format::{Fact, Facts, headers, value};
use sealgate_core::rules::HeaderFormat;

use crate::host::{self, Side};

/// Headers of a request that its response needs: the host forgets them once the request goes on.
#[derive(Default)]
pub(crate) struct KeptHeaders(Vec<(String, Bytes)>);

impl KeptHeaders {
    /// What these ask for, while the request is there.
    pub(crate) fn of(formats: &[HeaderFormat]) -> Self {
        let names = formats.iter().flat_map(|own| headers(&own.format));
        let names = names.map(str::to_ascii_lowercase);
        Self(
            names
                .filter_map(|name| Some((name.clone(), asked(&name)?)))
                .collect(),
        )
    }
}

fn asked(name: &str) -> Option<Bytes> {
    let name = if name == "host" { ":authority" } else { name };
    host::request_value(name).ok().flatten()
}

/// What the host knows of this request, and what it has forgotten.
struct HostFacts<'r>(Option<&'r KeptHeaders>);

impl Facts for HostFacts<'_> {
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
        let Some(KeptHeaders(known)) = self.0 else {
            return asked(name);
        };
        let mut known = known.iter();
        known.find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }
}

/// Replaces a header of the request, or appends one, unless its value comes out empty.
pub(crate) fn write(name: &str, format: &str, append: bool) -> Result<(), Status> {
    put(Side::Request, name, value(format, &HostFacts(None)), append)
}

/// The same of the response.
pub(crate) fn write_answer(own: &HeaderFormat, remembered: &KeptHeaders) -> Result<(), Status> {
    let value = value(&own.format, &HostFacts(Some(remembered)));
    put(Side::Response, &own.name, value, own.append)
}

fn put(side: Side, name: &str, value: Option<Vec<u8>>, append: bool) -> Result<(), Status> {
    match value {
        Some(value) if append => host::add(side, name, &value),
        Some(value) => host::set(side, name, &value),
        None => Ok(()),
    }
}
