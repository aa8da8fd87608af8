//! The calls of proxy-wasm's ABI 0.2.1 that the filter uses: values are returned by reference, and the result is a
//! status, which `host.rs` converts into a `Result`. In Envoy, they are imports of the module (`envoy.rs`); a native
//! build has no host except one that a test installs.

#[cfg(target_arch = "wasm32")]
mod envoy;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(target_arch = "wasm32")]
pub(crate) use self::envoy::ask;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use self::native::ask;
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) use self::native::install;

/// The status of a successful call.
pub(crate) const OK: u32 = 0;
/// The status of a call for something that does not exist.
pub(crate) const NOT_FOUND: u32 = 1;

/// What happens after a callback.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterAction {
    /// The next filter continues.
    Continue = 0,
    /// It waits until it is continued or answered.
    Pause = 1,
}

/// Which headers, by the ABI's numbers.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HeaderMap {
    /// The request's.
    Request = 0,
    /// The request's trailers.
    RequestTrailers = 1,
    /// The response's.
    Response = 2,
    /// The response's trailers.
    ResponseTrailers = 3,
}

/// The host. Every call returns a status, which may be any number; the value is in the last argument if the status is
/// [`OK`], where none means an empty one.
pub(crate) trait Host {
    fn header_map_pairs(&self, map: HeaderMap, pairs: &mut Option<Vec<u8>>) -> u32;
    fn header_map_value(&self, map: HeaderMap, name: &str, value: &mut Option<Vec<u8>>) -> u32;
    fn replace_header_map_value(&self, map: HeaderMap, name: &str, value: &[u8]) -> u32;
    fn add_header_map_value(&self, map: HeaderMap, name: &str, value: &[u8]) -> u32;
    fn remove_header_map_value(&self, map: HeaderMap, name: &str) -> u32;
    /// The gRPC status is below zero if the answer is not gRPC; `headers` are in the ABI's form; in gRPC, `body` is the
    /// message.
    fn send_local_response(&self, status: u32, grpc_status: i32, headers: &[u8], body: &[u8]) -> u32;
    /// The words of the path are separated by NULs.
    fn property(&self, path: &[u8], value: &mut Option<Vec<u8>>) -> u32;
    fn plugin_configuration(&self, size: usize, value: &mut Option<Vec<u8>>) -> u32;
    fn shared_data(&self, key: &str, value: &mut Option<Vec<u8>>) -> u32;
    /// Replaces any previous value.
    fn set_shared_data(&self, key: &str, value: &[u8]) -> u32;
    fn define_counter(&self, name: &str, id: &mut u32) -> u32;
    fn increment_metric(&self, id: u32, offset: i64) -> u32;
    fn log_error(&self, message: &str) -> u32;
}
