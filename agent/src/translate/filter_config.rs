//! The filter of a port as an extension of its own (ECDS): what it is told of its connections is replaced in place. The
//! routes are told to all at once, in parts (`table.rs`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, DataSource, TypedExtensionConfig, async_data_source, data_source,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    FailurePolicy, PluginConfig, VmConfig, plugin_config::Vm,
};
use envoy_types::pb::google::protobuf::{Any, StringValue};

use prost::Message as _;
use sealgate_core::table::PortConfig;

use super::model::Port;
use super::wire;
use crate::snapshot::{Body, Resource};

/// The name under which a listener asks for the filter of its port.
pub(super) fn name(port: &Port) -> String {
    format!("sealgate-traffic-{}", port.number)
}

/// The filter of a port. `module` is a file that Envoy can read.
pub(super) fn resource(port: &Arc<Port>, module: &Path) -> Resource {
    Resource::encoded_later(Arc::new(FilterConfig {
        port: Arc::clone(port),
        module: module.to_owned(),
    }))
}

struct FilterConfig {
    port: Arc<Port>,
    module: PathBuf,
}

impl Body for FilterConfig {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&build(&self.port, &self.module).encode_to_vec());
    }
}

fn build(port: &Port, module: &Path) -> TypedExtensionConfig {
    let config = PortConfig {
        port: port.number,
        told: port.table.policies.told.clone(),
    };
    // Plain data with string keys: there is nothing in it that JSON could refuse.
    let value = serde_json::to_string(&config).unwrap_or_default();
    plugin(&name(port), wire::any(&StringValue { value }), module)
}

/// A plugin of the module, as an extension.
pub(super) fn plugin(name: &str, configuration: Any, module: &Path) -> TypedExtensionConfig {
    let plugin = PluginConfig {
        name: name.to_owned(),
        configuration: Some(configuration),
        // Never open: with `cluster_header` an open failure would let a client choose the cluster.
        failure_policy: FailurePolicy::FailReload.into(),
        vm: Some(Vm::VmConfig(virtual_machine(module))),
        ..Default::default()
    };
    wire::extension(name, &Wasm { config: Some(plugin) })
}

/// Equal to the byte for every plugin and every push: Envoy compiles the module once, and each worker has one VM.
fn virtual_machine(module: &Path) -> VmConfig {
    let file = DataSource {
        specifier: Some(data_source::Specifier::Filename(
            module.to_string_lossy().into_owned(),
        )),
        ..Default::default()
    };
    VmConfig {
        vm_id: "sealgate".to_owned(),
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        code: Some(AsyncDataSource {
            specifier: Some(async_data_source::Specifier::Local(file)),
        }),
        ..Default::default()
    }
}
