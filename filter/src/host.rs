//! The only file that names `proxy_wasm::hostcalls`: bytes in, `Result` out, never a panic. The SDK's own helpers
//! unwrap every status, and one header byte above 0x7f would end the VM in its string calls.

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, Bytes, GrpcStatusCode, LogLevel, MapType, MetricType, Status};

/// A value of the request, `:path` and the like too; the first of a repeated header.
pub(crate) fn request_value(name: &str) -> Result<Option<Bytes>, Status> {
    hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name)
}

/// All of them.
pub(crate) fn all(side: Side) -> Result<Vec<(String, Bytes)>, Status> {
    hostcalls::get_map_bytes(side.map())
}

/// A value of the response.
pub(crate) fn response_value(name: &str) -> Result<Option<Bytes>, Status> {
    hostcalls::get_map_value_bytes(MapType::HttpResponseHeaders, name)
}

/// A fact of the connection; none if there is no such thing.
pub(crate) fn property(path: &[&str]) -> Result<Option<Bytes>, Status> {
    hostcalls::get_property(path.to_vec())
}

/// Counts one more.
pub(crate) fn count(metric: &str) -> Result<(), Status> {
    let id = hostcalls::define_metric(MetricType::Counter, metric)?;
    hostcalls::increment_metric(id, 1)
}

/// Which headers are changed.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// The request's.
    Request,
    /// The response's.
    Response,
    /// The request's trailers.
    RequestTrailers,
    /// The response's trailers.
    ResponseTrailers,
}

impl Side {
    fn map(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestHeaders,
            Self::Response => MapType::HttpResponseHeaders,
            Self::RequestTrailers => MapType::HttpRequestTrailers,
            Self::ResponseTrailers => MapType::HttpResponseTrailers,
        }
    }
}

/// Replaces a header.
pub(crate) fn set(side: Side, name: &str, value: &[u8]) -> Result<(), Status> {
    hostcalls::set_map_value_bytes(side.map(), name, Some(value))
}

/// Appends a header.
pub(crate) fn add(side: Side, name: &str, value: &[u8]) -> Result<(), Status> {
    hostcalls::add_map_value_bytes(side.map(), name, value)
}

/// Takes a header off.
pub(crate) fn remove(side: Side, name: &str) -> Result<(), Status> {
    hostcalls::remove_map_value(side.map(), name)
}

/// Answers the request here.
pub(crate) fn respond(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), Status> {
    hostcalls::send_http_response(status.into(), headers.to_vec(), Some(body))
}

/// Answers the request here with a gRPC status; one that is not gRPC gets 200 and the message.
pub(crate) fn respond_grpc(status: u8, message: &str) -> Result<(), Status> {
    let status = GRPC_STATUS.get(usize::from(status)).copied();
    hostcalls::send_grpc_response(
        status.unwrap_or(GrpcStatusCode::Unknown),
        Some(message),
        Vec::new(),
    )
}

/// Each at the place of its number.
const GRPC_STATUS: [GrpcStatusCode; 17] = [
    GrpcStatusCode::Ok,
    GrpcStatusCode::Cancelled,
    GrpcStatusCode::Unknown,
    GrpcStatusCode::InvalidArgument,
    GrpcStatusCode::DeadlineExceeded,
    GrpcStatusCode::NotFound,
    GrpcStatusCode::AlreadyExists,
    GrpcStatusCode::PermissionDenied,
    GrpcStatusCode::ResourceExhausted,
    GrpcStatusCode::FailedPrecondition,
    GrpcStatusCode::Aborted,
    GrpcStatusCode::OutOfRange,
    GrpcStatusCode::Unimplemented,
    GrpcStatusCode::Internal,
    GrpcStatusCode::Unavailable,
    GrpcStatusCode::DataLoss,
    GrpcStatusCode::Unauthenticated,
];

/// The plugin's configuration.
pub(crate) fn configuration(size: usize) -> Result<Bytes, Status> {
    Ok(hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size)?.unwrap_or_default())
}

/// Puts a value where every VM of this process finds it.
pub(crate) fn share(key: &str, value: &[u8]) -> Result<(), Status> {
    hostcalls::set_shared_data(key, Some(value), None)
}

/// Such a value; none if nobody put one there.
pub(crate) fn shared(key: &str) -> Result<Option<Bytes>, Status> {
    Ok(hostcalls::get_shared_data(key)?.0)
}

/// Says something in Envoy's log.
pub(crate) fn error(message: &str) {
    // There is nowhere left to say that saying it failed.
    let _ = hostcalls::log(LogLevel::Error, message);
}
