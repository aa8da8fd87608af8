//! What Envoy's numbers stand for: plugins, and the requests of each. Whatever number comes, at whatever time, a request
//! that is not known is answered here, and goes nowhere.

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

/// Envoy enters a VM once at a time. If it ever did otherwise, the second time is an error, and no panic.
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

/// A plugin that has no parent, or a request of the plugin that is its parent.
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

/// What is deleted twice is gone all the same.
pub(crate) fn delete(id: u32) {
    let deleted = with(|contexts| {
        if contexts.streams.remove(&id).is_none() {
            contexts.plugins.remove(&id);
        }
        Ok(())
    });
    log("a context cannot end", deleted);
}

/// Whether it is taken.
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

/// Whether its trailers may follow it.
pub(crate) fn request_trailers(id: u32, count: usize) -> FilterAction {
    with_stream(id, |_| http::on_request_trailers(count)).unwrap_or_else(http::refuse)
}

/// What becomes of a response's headers.
pub(crate) fn response_headers(id: u32) -> FilterAction {
    let changed = with_stream(id, |stream| stream.on_response_headers());
    log("a response's headers cannot be changed", changed);
    FilterAction::Continue
}

/// What becomes of a response's trailers.
pub(crate) fn response_trailers(id: u32, count: usize) -> FilterAction {
    let changed = with_stream(id, |stream| stream.on_response_trailers(count));
    log("a response's trailers cannot be changed", changed);
    FilterAction::Continue
}
