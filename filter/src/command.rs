//! Headers with Envoy's command operators in their values: what the commands ask for, from the host. Where the host has no
//! such thing, nothing is written; where it fails, nothing can be.

use std::cell::Cell;

use sealgate_core::header_format::{Fact, Facts, headers, value};
use sealgate_core::rules::HeaderFormat;

use crate::host::{self, HeaderPairs, HostError, Side};

/// Headers of a request that its response needs: the host forgets them once the request goes on.
#[derive(Default)]
pub(crate) struct KeptHeaders(HeaderPairs);

impl KeptHeaders {
    /// What these ask for, while the request is there.
    pub(crate) fn of(formats: &[HeaderFormat]) -> Result<Self, HostError> {
        let names = formats.iter().flat_map(|own| headers(&own.format));
        let mut kept = HeaderPairs::new();
        for name in names.map(str::to_ascii_lowercase) {
            if let Some(value) = asked(&name)? {
                kept.push((name, value));
            }
        }
        Ok(Self(kept))
    }
}

fn asked(name: &str) -> Result<Option<Vec<u8>>, HostError> {
    let name = if name == "host" { ":authority" } else { name };
    host::request_value(name)
}

/// What the host knows of this request, and what it has forgotten.
#[derive(Default)]
struct HostFacts<'r> {
    /// None while the request is there.
    remembered: Option<&'r KeptHeaders>,
    /// A value without what could not be read is not the one that was meant: a header of the client's would stay in its
    /// place.
    failed: Cell<Option<HostError>>,
}

impl HostFacts<'_> {
    fn noted(&self, read: Result<Option<Vec<u8>>, HostError>) -> Option<Vec<u8>> {
        read.unwrap_or_else(|error| {
            self.failed.set(Some(error));
            None
        })
    }

    fn write(&self, side: Side, name: &str, format: &str, append: bool) -> Result<(), HostError> {
        let value = value(format, self);
        if let Some(error) = self.failed.get() {
            return Err(error);
        }
        match value {
            Some(value) if append => host::add(side, name, &value),
            Some(value) => host::set(side, name, &value),
            None => Ok(()),
        }
    }
}

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
            // There is none yet.
            Fact::ResponseCode if self.remembered.is_none() => return None,
            Fact::ResponseCode => return self.noted(host::response_value(":status")),
        };
        self.noted(host::property(path))
    }

    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        let Some(KeptHeaders(known)) = self.remembered else {
            return self.noted(asked(name));
        };
        let mut known = known.iter();
        known.find(|(own, _)| own == name).map(|(_, value)| value.clone())
    }
}

/// Replaces a header of the request, or appends one, unless its value comes out empty.
pub(crate) fn write(name: &str, format: &str, append: bool) -> Result<(), HostError> {
    HostFacts::default().write(Side::Request, name, format, append)
}

/// The same of the response.
pub(crate) fn write_answer(own: &HeaderFormat, remembered: &KeptHeaders) -> Result<(), HostError> {
    let facts = HostFacts {
        remembered: Some(remembered),
        ..HostFacts::default()
    };
    facts.write(Side::Response, &own.name, &own.format, own.append)
}
