//! The only file that calls the host. It returns a `Result` and never panics, whatever the host answers.

mod error;
mod pairs;

pub(crate) use self::error::HostError;

use crate::abi::{self, HeaderMap, NOT_FOUND, OK};

/// Which headers are read or changed.
pub(crate) type Side = HeaderMap;

/// The gRPC status of other answers.
const NO_GRPC: i32 = -1;

/// Names, in lower case, and values.
pub(crate) type HeaderPairs = Vec<(String, Vec<u8>)>;

/// The result of a call that returns only a status.
fn done(call: &'static str, status: u32) -> Result<(), HostError> {
    match status {
        OK => Ok(()),
        status => Err(HostError::Failed { call, status }),
    }
}

/// The result of a call for a value that may not exist.
fn found(call: &'static str, status: u32, value: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, HostError> {
    match status {
        OK => Ok(value),
        NOT_FOUND => Ok(None),
        status => Err(HostError::Failed { call, status }),
    }
}

/// A value of the request, including `:path` and the like; the first of a repeated header.
pub(crate) fn request_value(name: &str) -> Result<Option<Vec<u8>>, HostError> {
    header_value(HeaderMap::Request, name)
}

/// A value of the response.
pub(crate) fn response_value(name: &str) -> Result<Option<Vec<u8>>, HostError> {
    header_value(HeaderMap::Response, name)
}

fn header_value(map: HeaderMap, name: &str) -> Result<Option<Vec<u8>>, HostError> {
    let mut value = None;
    let status = abi::ask(|host| host.header_map_value(map, name, &mut value));
    // An empty value is returned as none.
    let value = (status == OK).then(|| value.unwrap_or_default());
    found("proxy_get_header_map_value", status, value)
}

/// All headers; only empty if the host announced none.
pub(crate) fn all(side: Side, told_of: usize) -> Result<HeaderPairs, HostError> {
    const CALL: &str = "proxy_get_header_map_pairs";
    let mut encoded = None;
    let status = abi::ask(|host| host.header_map_pairs(side, &mut encoded));
    done(CALL, status)?;
    let pairs = pairs::decode(&encoded.unwrap_or_default());
    pairs
        .filter(|pairs| told_of == 0 || !pairs.is_empty())
        .ok_or(HostError::Malformed { call: CALL })
}

/// A fact about the connection; none if it does not exist.
pub(crate) fn property(path: &[&str]) -> Result<Option<Vec<u8>>, HostError> {
    let path = path.join("\0");
    let mut value = None;
    let status = abi::ask(|host| host.property(path.as_bytes(), &mut value));
    found("proxy_get_property", status, value)
}

/// Increments a counter. A failure is only logged, as it is no reason to fail a request.
pub(crate) fn count(metric: &str) {
    if let Err(failed) = counted(metric) {
        error(&format!("sealgate: {metric} is not counted: {failed}"));
    }
}

fn counted(metric: &str) -> Result<(), HostError> {
    let mut id = 0;
    let status = abi::ask(|host| host.define_counter(metric, &mut id));
    done("proxy_define_metric", status)?;
    let status = abi::ask(|host| host.increment_metric(id, 1));
    done("proxy_increment_metric", status)
}

/// Replaces a header.
pub(crate) fn set(side: Side, name: &str, value: &[u8]) -> Result<(), HostError> {
    let status = abi::ask(|host| host.replace_header_map_value(side, name, value));
    done("proxy_replace_header_map_value", status)
}

/// Appends a header.
pub(crate) fn add(side: Side, name: &str, value: &[u8]) -> Result<(), HostError> {
    let status = abi::ask(|host| host.add_header_map_value(side, name, value));
    done("proxy_add_header_map_value", status)
}

/// Removes a header.
pub(crate) fn remove(side: Side, name: &str) -> Result<(), HostError> {
    let status = abi::ask(|host| host.remove_header_map_value(side, name));
    done("proxy_remove_header_map_value", status)
}

/// Answers the request here.
pub(crate) fn respond(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<(), HostError> {
    send(status.into(), NO_GRPC, headers, body)
}

/// Answers the request here with a gRPC status; a request that is not gRPC gets 200 and the message.
pub(crate) fn respond_grpc(status: u8, message: &str) -> Result<(), HostError> {
    send(200, status.into(), &[], message.as_bytes())
}

fn send(status: u32, grpc_status: i32, headers: &[(&str, &str)], body: &[u8]) -> Result<(), HostError> {
    let headers = pairs::encode(headers);
    let status = abi::ask(|host| host.send_local_response(status, grpc_status, &headers, body));
    done("proxy_send_local_response", status)
}

/// The plugin's configuration; an empty one is none.
pub(crate) fn configuration(size: usize) -> Result<Vec<u8>, HostError> {
    let mut value = None;
    let status = abi::ask(|host| host.plugin_configuration(size, &mut value));
    Ok(found("proxy_get_buffer_bytes", status, value)?.unwrap_or_default())
}

/// Stores a value for all VMs of this process.
pub(crate) fn share(key: &str, value: &[u8]) -> Result<(), HostError> {
    let status = abi::ask(|host| host.set_shared_data(key, value));
    done("proxy_set_shared_data", status)
}

/// A stored value; none if there is none.
pub(crate) fn shared(key: &str) -> Result<Option<Vec<u8>>, HostError> {
    let mut value = None;
    let status = abi::ask(|host| host.shared_data(key, &mut value));
    found("proxy_get_shared_data", status, value)
}

/// Writes to Envoy's log.
pub(crate) fn error(message: &str) {
    // If logging fails, there is nowhere left to report it.
    let _ = abi::ask(|host| host.log_error(message));
}
