//! Headers with Envoy's command operators in their values: what the commands ask for, from the host. Where the host has no
//! such thing, nothing is written; where it fails, nothing can be.

use std::cell::Cell;
use std::collections::BTreeSet;

use sealgate_core::header_format::{Fact, Facts, headers, value};
use sealgate_core::header_order::MutableHeaders;
use sealgate_core::rules::{ArchivedHeaderMutations, HeaderFormat, HeaderMutations};

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

/// A request's headers at the host, for the core to change. After a call that failed, nothing more is done.
#[derive(Default)]
struct HostRequestHeaders {
    failed: Option<HostError>,
}

/// Changes the request as a rule says, and stops where it cannot.
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

    /// The client's does not stay in its place.
    fn set_nothing(&mut self, name: &str) {
        self.remove(name);
    }
}

/// The same of a response, of which each change is made that can be.
struct HostResponseHeaders<'r> {
    remembered: &'r KeptHeaders,
    done: Result<(), HostError>,
}

/// Changes the response as a rule says, as far as that can be done.
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

    /// The upstream's stays.
    fn set_nothing(&mut self, _: &str) {}
}
