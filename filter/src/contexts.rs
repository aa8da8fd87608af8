//! The contexts behind Envoy's numbers: plugins, and the requests of each. Any number may come at any time: an unknown
//! request is answered here, and goes nowhere.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::abi::FilterAction;
use crate::host::{self, HostError};
use crate::http::{self, Stream};
use crate::root::Root;

#[derive(Default)]
struct Contexts {
    plugins: BTreeMap<u32, Root>,
    streams: BTreeMap<u32, Stream>,
}

thread_local! {
    static CONTEXTS: RefCell<Contexts> = RefCell::default();
}

/// Envoy does not reenter a VM. If it ever did, that would be an error, not a panic.
fn with<T>(call: impl FnOnce(&mut Contexts) -> Result<T, HostError>) -> Result<T, HostError> {
    CONTEXTS.with(|contexts| {
        let mut contexts = contexts.try_borrow_mut().map_err(|_| HostError::Busy)?;
        call(&mut contexts)
    })
}

fn with_stream<T>(id: u32, call: impl FnOnce(&mut Stream) -> T) -> Result<T, HostError> {
    with(|contexts| {
        let stream = contexts.streams.get_mut(&id);
        stream.map(call).ok_or(HostError::Stranger)
    })
}

fn log(what: &str, outcome: Result<(), HostError>) {
    if let Err(error) = outcome {
        host::error(&format!("sealgate: {what}: {error}"));
    }
}

/// Creates a plugin if it has no parent, or else a request of its parent.
pub(crate) fn create(id: u32, parent: u32) {
    let created = with(|contexts| {
        if parent == 0 {
            contexts.plugins.insert(id, Root::default());
            return Ok(());
        }
        let plugin = contexts.plugins.get(&parent).ok_or(HostError::Stranger)?;
        contexts.streams.insert(id, plugin.stream());
        Ok(())
    });
    log("a context cannot begin", created);
}

/// Deleting twice is harmless.
pub(crate) fn delete(id: u32) {
    let deleted = with(|contexts| {
        if contexts.streams.remove(&id).is_none() {
            contexts.plugins.remove(&id);
        }
        Ok(())
    });
    log("a context cannot end", deleted);
}

/// Returns whether the configuration is accepted.
pub(crate) fn configure(id: u32, size: usize) -> bool {
    let configured = with(|contexts| {
        let plugin = contexts.plugins.get_mut(&id);
        plugin
            .map(|plugin| plugin.on_configure(size))
            .ok_or(HostError::Stranger)
    });
    configured.unwrap_or_else(|error| {
        host::error(&format!("sealgate: a plugin cannot be configured: {error}"));
        false
    })
}

/// Where a request goes.
pub(crate) fn request_headers(id: u32, count: usize) -> FilterAction {
    with_stream(id, |stream| stream.on_request_headers(count)).unwrap_or_else(http::refuse)
}

/// Whether the request's trailers may follow.
pub(crate) fn request_trailers(id: u32, count: usize) -> FilterAction {
    with_stream(id, |_| http::on_request_trailers(count)).unwrap_or_else(http::refuse)
}

/// Handles a response's headers.
pub(crate) fn response_headers(id: u32) -> FilterAction {
    let changed = with_stream(id, |stream| stream.on_response_headers());
    log("a response's headers cannot be changed", changed);
    FilterAction::Continue
}

/// Handles a response's trailers.
pub(crate) fn response_trailers(id: u32, count: usize) -> FilterAction {
    let changed = with_stream(id, |stream| stream.on_response_trailers(count));
    log("a response's trailers cannot be changed", changed);
    FilterAction::Continue
}
