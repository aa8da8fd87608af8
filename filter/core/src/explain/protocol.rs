//! The versions of HTTP, and how Envoy rejects violations of their rules.

use serde::Deserialize;

/// The version of HTTP that a client speaks. They differ in what they allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// A violation is answered with 400, and the connection is closed.
    #[default]
    #[serde(rename = "HTTP/1.1")]
    Http1,
    /// A violation ends the stream, without an answer.
    #[serde(rename = "HTTP/2")]
    Http2,
}

/// Why no rule sees a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecRefusal {
    /// None if the stream ends without an answer.
    pub status: Option<u16>,
    /// The part of the request that is at fault.
    pub reason: &'static str,
}
