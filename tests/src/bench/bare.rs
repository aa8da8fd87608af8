//! Modules that use the bare ABI, for Envoy to load: no filter can do the same for less.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;
use sealgate_core::identity::FILTER_STATE;
use serde_json::Value;

use super::filter::wasm;

/// The least that a filter can do: see the file.
pub(super) const ROUTING: &str = include_str!("bare.wat");
/// Where a module that does more adds its data.
const MORE_DATA: &str = ";; (more data)";
/// The same without the calls.
pub(super) const IDLE: &str = r#"(module (memory (export "memory") 2) (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 65536))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))"#;

/// The same calls in a filter that keeps something of each request until its response: Envoy calls it three more times.
pub(super) fn keeping() -> String {
    ROUTING.replace(
        MORE_DATA,
        r#"(func (export "proxy_on_context_create") (param i32 i32))
           (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))
           (func (export "proxy_on_delete") (param i32))"#,
    )
}

/// The least that tells an upstream about a client: the same calls, one look at the connection, and these constant
/// headers.
pub(super) fn telling(headers: &[(String, String)]) -> String {
    const START: usize = 4096;
    let property = ["filter_state", FILTER_STATE];
    let mut data = format!(r#"(data (i32.const {START}) "{}")"#, property.join(r"\00"));
    let mut at = START + property.join("\0").len();
    let mut calls = format!(
        "(drop (call $property (i32.const {START}) (i32.const {}) (i32.const 2048) (i32.const 2052)))",
        at - START
    );
    for (name, value) in headers {
        let (key, content) = (name.len(), value.len());
        let value_at = at + key;
        // Writing to a string cannot fail.
        let _ = write!(
            data,
            "(data (i32.const {at}) {name:?}) (data (i32.const {value_at}) {value:?})"
        );
        let _ = write!(
            calls,
            "(drop (call $set (i32.const 0) (i32.const {at}) (i32.const {key}) (i32.const {value_at}) (i32.const {content})))"
        );
        at = value_at + content;
    }
    let import =
        r#"(import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))"#;
    ROUTING
        .replace(";; (more imports)", import)
        .replace(MORE_DATA, &data)
        .replace(";; (more calls)", &calls)
}

/// The HTTP filter of such a module, compiled into this folder.
pub(super) fn filter(folder: &Path, text: &str) -> Result<Value> {
    let path = folder.join("module.wasm");
    fs::write(&path, wat::parse_str(text)?)?;
    Ok(wasm(&path))
}
