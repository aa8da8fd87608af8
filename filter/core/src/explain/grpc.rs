//! How gRPC clients get an answer without an upstream: Envoy sends 200 and a gRPC status
//! (`Http::Utility::sendLocalReply`).

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

    /// Converts an HTTP answer.
    pub(super) fn of_http(status: u16, body: &str) -> Self {
        Self::new(from_http(status), body)
    }
}

/// gRPC's own table for HTTP statuses (`http-grpc-status-mapping.md`).
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
