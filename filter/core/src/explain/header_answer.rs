//! The result of header operations for one request, as shown in an answer: remove, then set, then add.

use serde::Serialize;

use super::{Protocol, Question};
use crate::header_format::{self, Fact, Facts};
use crate::header_order::MutableHeaders;
use crate::rules::ArchivedHeaderMutations;

/// Unlike in the table, every list is always present.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct HeaderAnswer {
    pub(super) set: Vec<(String, String)>,
    pub(super) add: Vec<(String, String)>,
    pub(super) remove: Vec<String>,
}

impl HeaderAnswer {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `request` becomes what the upstream sees.
    pub(super) fn of_request(operations: &ArchivedHeaderMutations, request: &mut Question) -> Self {
        let mut headers = ExplainedRequest {
            request,
            answer: Self::default(),
        };
        operations.carry_out(&mut headers);
        headers.answer
    }

    /// `status` is that of the response, if it is not from an upstream.
    pub(super) fn of_response(
        operations: &ArchivedHeaderMutations,
        request: &Question,
        status: Option<u16>,
    ) -> Self {
        let mut headers = ExplainedResponse {
            known: RequestFacts {
                request,
                // gRPC clients get answers without an upstream as 200.
                status: status.map(|status| if request.is_grpc() { 200 } else { status }),
            },
            answer: Self::default(),
        };
        operations.carry_out(&mut headers);
        headers.answer
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        self.set.push((name.to_owned(), text(value)));
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.add.push((name.to_owned(), text(value)));
    }

    fn remove(&mut self, name: &str) {
        self.remove.push(name.to_owned());
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

struct ExplainedRequest<'q> {
    request: &'q mut Question,
    answer: HeaderAnswer,
}

impl ExplainedRequest<'_> {
    fn take_off(&mut self, name: &str) {
        self.request.headers.retain(|(own, _)| own != name);
    }

    fn append(&mut self, name: &str, value: &[u8]) {
        self.request.headers.push((name.to_owned(), text(value)));
    }
}

impl MutableHeaders for ExplainedRequest<'_> {
    fn remove(&mut self, name: &str) {
        self.take_off(name);
        self.answer.remove(name);
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        self.take_off(name);
        self.append(name, value);
        self.answer.set(name, value);
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.append(name, value);
        self.answer.add(name, value);
    }

    fn value(&mut self, format: &str) -> Option<Vec<u8>> {
        let known = RequestFacts {
            request: self.request,
            status: None,
        };
        header_format::shown(format, &known)
    }

    /// The client's header must not stay in its place.
    fn set_nothing(&mut self, name: &str) {
        self.remove(name);
    }
}

struct ExplainedResponse<'q> {
    known: RequestFacts<'q>,
    answer: HeaderAnswer,
}

impl MutableHeaders for ExplainedResponse<'_> {
    fn remove(&mut self, name: &str) {
        self.answer.remove(name);
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        self.answer.set(name, value);
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.answer.add(name, value);
    }

    fn value(&mut self, format: &str) -> Option<Vec<u8>> {
        header_format::shown(format, &self.known)
    }

    /// The upstream's header stays.
    fn set_nothing(&mut self, _: &str) {}
}

/// The facts for commands that a question contains.
struct RequestFacts<'q> {
    request: &'q Question,
    status: Option<u16>,
}

impl Facts for RequestFacts<'_> {
    fn fact(&self, fact: Fact) -> Option<Vec<u8>> {
        match fact {
            Fact::Protocol => Some(match self.request.protocol {
                Protocol::Http1 => b"HTTP/1.1".to_vec(),
                Protocol::Http2 => b"HTTP/2".to_vec(),
            }),
            Fact::ResponseCode => self.status.map(|status| status.to_string().into_bytes()),
            // Without TLS, these do not exist.
            Fact::ServerName
            | Fact::TlsVersion
            | Fact::PeerSubject
            | Fact::PeerFingerprint
            | Fact::LocalSubject => (self.request.scheme == "http").then(Vec::new),
            Fact::RemoteAddress | Fact::LocalAddress | Fact::StartTime => None,
        }
    }

    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        self.request.first_value(name)
    }
}
