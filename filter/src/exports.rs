//! The callbacks that Envoy enters the module by. Which of the ABI's there are is also in `scripts/xtask/src/module.rs`.
//!
//! The lint is off in this file for one thing: a symbol that nobody may rename is an unsafe attribute.
#![expect(unsafe_code, reason = "the names of the ABI")]

use crate::abi::FilterAction;
use crate::contexts;

/// A plugin begins, or (with the plugin's `parent`) a request.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
    contexts::create(id, parent);
}

/// Whether the plugin's configuration is taken.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_configure(id: u32, size: usize) -> bool {
    contexts::configure(id, size)
}

/// A request, or a plugin, is gone.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_delete(id: u32) {
    contexts::delete(id);
}

/// A request's headers are there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_headers(id: u32, count: usize, _: bool) -> FilterAction {
    contexts::request_headers(id, count)
}

/// A request's trailers are there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_request_trailers(id: u32, count: usize) -> FilterAction {
    contexts::request_trailers(id, count)
}

/// A response's headers are there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_headers(id: u32, _: usize, _: bool) -> FilterAction {
    contexts::response_headers(id)
}

/// A response's trailers are there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn proxy_on_response_trailers(id: u32, count: usize) -> FilterAction {
    contexts::response_trailers(id, count)
}
