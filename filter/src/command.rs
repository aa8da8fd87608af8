//! Headers with Envoy's command operators in their values, which get their facts from the host. If a fact does not
//! exist, nothing is written; if the host fails, nothing can be.

use std::cell::Cell;
use std::collections::BTreeSet;

use sealgate_core::header_format::{Fact, Facts, headers, value};
use sealgate_core::header_order::MutableHeaders;
use sealgate_core::rules::{ArchivedHeaderMutations, HeaderFormat, HeaderMutations};

use crate::host::{self, HeaderPairs, HostError, Side};

/// The maximum size of a header that a rule writes: Envoy rejects requests whose headers are above 60 KB together.
const LONGEST: usize = 8 * 1024;

/// Headers of a request that its response needs: the host forgets them once the request continues.
#[derive(Default)]
pub(crate) struct KeptHeaders(HeaderPairs);

impl KeptHeaders {
    /// Keeps what these need, while the request exists.
    pub(crate) fn of(formats: &[HeaderFormat]) -> Result<Self, HostError> {
        let names = formats.iter().flat_map(|own| headers(&own.format));
        // Each is kept once, however often a rule asks for it.
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

/// Facts that the host has about this request, and those that were kept.
#[derive(Default)]
struct HostFacts<'r> {
    /// None while the request exists.
    remembered: Option<&'r KeptHeaders>,
    /// The first failure. A value with a missing part would be wrong, and a client's header would stay in its place.
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
            // A rule may ask for one header many times.
            (None, Some(value)) if value.len() > LONGEST => Err(HostError::TooLong),
            (None, value) => Ok(value),
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
            // It does not exist yet.
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

/// A request's headers at the host, to be changed by the core. After a failed call, nothing more is done.
#[derive(Default)]
struct HostRequestHeaders {
    failed: Option<HostError>,
}

/// Changes the request as a rule says, up to the first failure.
pub(crate) fn change_request(operations: &ArchivedHeaderMutations) -> Result<(), HostError> {
    let mut headers = HostRequestHeaders::default();
    operations.carry_out(&mut headers);
    headers.failed.map_or(Ok(()), Err)
}

impl HostRequestHeaders {
    fn unless_failed<T>(&mut self, call: impl FnOnce() -> Result<T, HostError>) -> Option<T> {
        if self.failed.is_some() {
            return None;
        }
        call().map_err(|error| self.failed = Some(error)).ok()
    }
}

impl MutableHeaders for HostRequestHeaders {
    fn remove(&mut self, name: &str) {
        self.unless_failed(|| host::remove(Side::Request, name));
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        self.unless_failed(|| host::set(Side::Request, name, value));
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.unless_failed(|| host::add(Side::Request, name, value));
    }

    fn value(&mut self, format: &str) -> Option<Vec<u8>> {
        self.unless_failed(|| HostFacts::default().value(format))
            .flatten()
    }

    /// The client's header must not stay in its place.
    fn set_nothing(&mut self, name: &str) {
        self.remove(name);
    }
}

/// The same for a response, of which all possible changes are made.
struct HostResponseHeaders<'r> {
    remembered: &'r KeptHeaders,
    done: Result<(), HostError>,
}

/// Changes the response as a rule says, as far as possible.
pub(crate) fn change_response(
    operations: &HeaderMutations,
    remembered: &KeptHeaders,
) -> Result<(), HostError> {
    let mut headers = HostResponseHeaders {
        remembered,
        done: Ok(()),
    };
    operations.carry_out(&mut headers);
    headers.done
}

impl HostResponseHeaders<'_> {
    fn note(&mut self, done: Result<(), HostError>) {
        self.done = self.done.and(done);
    }
}

impl MutableHeaders for HostResponseHeaders<'_> {
    fn remove(&mut self, name: &str) {
        self.note(host::remove(Side::Response, name));
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        self.note(host::set(Side::Response, name, value));
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.note(host::add(Side::Response, name, value));
    }

    fn value(&mut self, format: &str) -> Option<Vec<u8>> {
        let facts = HostFacts {
            remembered: Some(self.remembered),
            ..HostFacts::default()
        };
        facts.value(format).unwrap_or_else(|error| {
            self.note(Err(error));
            None
        })
    }

    /// The upstream's header stays.
    fn set_nothing(&mut self, _: &str) {}
}
