//! The filter's plugins as somebody writes them into Envoy's configuration by hand: those of ports, and those that hold
//! the parts of the table, on a listener that nobody reaches.

use std::path::Path;

use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sealgate_core::port::PortConfig;
use sealgate_core::rules::TableConfig;
use sealgate_core::table::encode_parts;
use serde_json::{Value, json};

/// A module, and the machine that its plugins share.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// The file.
    pub module: &'a Path,
    /// `vm_id`.
    pub id: &'a str,
}

fn typed(name: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/{name}"));
    config
}

/// A configuration as text.
#[must_use]
pub fn text(text: &str) -> Value {
    typed("google.protobuf.StringValue", json!({ "value": text }))
}

/// A configuration as bytes.
#[must_use]
pub fn bytes(bytes: &[u8]) -> Value {
    typed(
        "google.protobuf.BytesValue",
        json!({ "value": BASE64_STANDARD.encode(bytes) }),
    )
}

impl Machine<'_> {
    /// A plugin with this configuration, if any, as an extension's `typed_config`.
    #[must_use]
    pub fn plugin(&self, name: &str, configuration: Option<Value>) -> Value {
        let vm = json!({"vm_id": self.id, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": self.module}}});
        let mut config = json!({"name": name, "failure_policy": "FAIL_RELOAD", "vm_config": vm});
        if let Some(configuration) = configuration {
            config["configuration"] = configuration;
        }
        typed(
            "envoy.extensions.filters.http.wasm.v3.Wasm",
            json!({ "config": config }),
        )
    }

    /// The plugin of a port.
    #[must_use]
    pub fn traffic(&self, config: &PortConfig) -> Value {
        self.plugin("traffic", Some(text(&json!(config).to_string())))
    }

    /// The listener of a table.
    ///
    /// # Errors
    /// There is no such table.
    pub fn table(&self, tables: &[TableConfig]) -> Result<Value> {
        let parts = encode_parts(tables)?;
        let parts = parts.iter().enumerate().map(|(at, part)| {
            let name = format!("part-{at}");
            json!({"name": name, "typed_config": self.plugin(&name, Some(bytes(part)))})
        });
        Ok(data_listener(parts.collect()))
    }
}

/// A listener that binds no port, with these filters.
#[must_use]
pub fn data_listener(mut filters: Vec<Value>) -> Value {
    let router = typed("envoy.extensions.filters.http.router.v3.Router", json!({}));
    filters.push(json!({"name": "router", "typed_config": router}));
    let manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({"stat_prefix": "data", "http_filters": filters, "route_config": {}}),
    );
    json!({
        "name": "data-by-hand",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}},
        "bind_to_port": false,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    })
}
