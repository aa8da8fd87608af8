//! The versions of HTTP, and how Envoy refuses what breaks their rules.

use serde::Deserialize;

/// The version of HTTP that a client speaks. They differ in what they let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// Whoever breaks a rule gets 400 and loses the connection.
    #[default]
    #[serde(rename = "HTTP/1.1")]
    Http1,
    /// Whoever breaks a rule loses the stream, without an answer.
    #[serde(rename = "HTTP/2")]
    Http2,
}

/// Why no rule sees a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecRefusal {
    /// None is the end of the stream, without an answer.
    pub status: Option<u16>,
    /// The part of the request that is at fault.
    pub reason: &'static str,
}
