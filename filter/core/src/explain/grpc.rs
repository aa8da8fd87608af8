//! How a client that speaks gRPC is told what is answered without an upstream: Envoy says it in 200 and a status of
//! gRPC's (`Http::Utility::sendLocalReply`).

use serde::Serialize;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct GrpcAnswer {
    status: u8,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

impl GrpcAnswer {
    pub(super) fn new(status: u8, message: &str) -> Self {
        Self {
            status,
            message: message.to_owned(),
        }
    }

    /// What an answer of HTTP is as one.
    pub(super) fn of_http(status: u16, body: &str) -> Self {
        Self::new(from_http(status), body)
    }
}

/// gRPC's own table for what comes from others (`http-grpc-status-mapping.md`).
fn from_http(status: u16) -> u8 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}
