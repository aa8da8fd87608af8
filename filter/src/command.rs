//! Headers with Envoy's command operators in their values: what the commands ask for, from the host. Where the host has no
//! such thing, nothing is written; where it fails, nothing can be.

use std::cell::Cell;
use std::collections::BTreeSet;

use sealgate_core::header_format::{Fact, Facts, headers, value};
use sealgate_core::rules::HeaderFormat;

use crate::host::{self, HeaderPairs, HostError, Side};

/// What one header may hold that a rule writes: Envoy takes no request whose headers are above 60 KB together.
const LONGEST: usize = 8 * 1024;

/// Headers of a request that its response needs: the host forgets them once the request goes on.
#[derive(Default)]
pub(crate) struct KeptHeaders(HeaderPairs);

impl KeptHeaders {
    /// What these ask for, while the request is there.
    pub(crate) fn of(formats: &[HeaderFormat]) -> Result<Self, HostError> {
        let names = formats.iter().flat_map(|own| headers(&own.format));
        // However often a rule asks for one, it is there once.
        let names: BTreeSet<_> = names.map(str::to_ascii_lowercase).collect();
        let mut kept = HeaderPairs::new();
        for name in names {
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

    fn value(&self, format: &str) -> Result<Option<Vec<u8>>, HostError> {
        let value = value(format, self);
        match (self.failed.get(), value) {
            (Some(error), _) => Err(error),
            // A rule may ask for one header many times over.
            (None, Some(value)) if value.len() > LONGEST => Err(HostError::TooLong),
            (None, value) => Ok(value),
        }
    }
}

fn put(side: Side, name: &str, value: &[u8], append: bool) -> Result<(), HostError> {
    if append {
        host::add(side, name, value)
    } else {
        host::set(side, name, value)
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

/// A header of the request, with what its commands gave; none if that is nothing.
pub(crate) struct RenderedHeader<'f> {
    name: &'f str,
    value: Option<Vec<u8>>,
    append: bool,
}

/// What a header of the request is to be: read before rules change any.
pub(crate) fn render<'f>(name: &'f str, format: &str, append: bool) -> Result<RenderedHeader<'f>, HostError> {
    let value = HostFacts::default().value(format)?;
    Ok(RenderedHeader { name, value, append })
}

impl RenderedHeader<'_> {
    /// Replaces the header, or appends one. Where it would replace one and has no value, the client's does not stay.
    pub(crate) fn write(&self) -> Result<(), HostError> {
        match &self.value {
            Some(value) => put(Side::Request, self.name, value, self.append),
            None if self.append => Ok(()),
            None => host::remove(Side::Request, self.name),
        }
    }
}

/// Replaces a header of the response, or appends one, unless its value comes out empty.
pub(crate) fn write_answer(own: &HeaderFormat, remembered: &KeptHeaders) -> Result<(), HostError> {
    let facts = HostFacts {
        remembered: Some(remembered),
        ..HostFacts::default()
    };
    match facts.value(&own.format)? {
        Some(value) => put(Side::Response, &own.name, &value, own.append),
        None => Ok(()),
    }
}
