//! The callbacks through which Envoy enters the module. The list of those that are implemented is also in
//! `scripts/xtask/src/module.rs`.
//!
//! The lint is off in this file only for `no_mangle`, which is an unsafe attribute.
#![expect(unsafe_code, reason = "the names of the ABI")]

use crate::abi::FilterAction;
use crate::contexts;

/// A plugin begins, or (with the plugin's `parent`) a request.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    contexts::create(id, parent);
}

/// Whether the plugin's configuration is accepted.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_configure(id: u32, size: usize) -> bool {
    contexts::configure(id, size)
}

/// A request or a plugin is deleted.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_delete(id: u32) {
    contexts::delete(id);
}

/// A request's headers have arrived.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_headers(id: u32, count: usize, _: bool) -> FilterAction {
    contexts::request_headers(id, count)
}

/// A request's trailers have arrived.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_trailers(id: u32, count: usize) -> FilterAction {
    contexts::request_trailers(id, count)
}

/// A response's headers have arrived.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_headers(id: u32, _: usize, _: bool) -> FilterAction {
    contexts::response_headers(id)
}

/// A response's trailers have arrived.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_trailers(id: u32, count: usize) -> FilterAction {
    contexts::response_trailers(id, count)
}
