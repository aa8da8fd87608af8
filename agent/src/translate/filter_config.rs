//! The filter of a port as a separate extension (ECDS). It has what does not depend on routes; those are in the table
//! (`table.rs`).

use std::path::Path;

use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, BackoffStrategy, DataSource, async_data_source, data_source,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    FailurePolicy, PluginConfig, ReloadConfig, VmConfig, plugin_config::Vm,
};
use envoy_types::pb::google::protobuf::{Any, Duration, StringValue};

use prost::Message as _;
use sealgate_core::port::PortConfig;
use sealgate_model::resolved::ServedPort;

use super::wire;
use crate::snapshot::Resource;
use crate::valid::{Packer, Violation};

/// How long a worker is without its filter after a crash.
const RELOAD_MS: i32 = 100;

/// The name under which a listener asks for the filter of its port.
pub(super) fn name(port: u16) -> String {
    format!("sealgate-{port}")
}

/// The port whose filter has this name.
pub(super) fn port_of_name(name: &str) -> Option<u16> {
    name.strip_prefix("sealgate-")?.parse().ok()
}

/// The filter of a port. `module` is a file that Envoy can read.
pub(super) fn resource(port: &ServedPort, module: &Path) -> Result<Resource, Violation> {
    let config = PortConfig {
        port: port.number,
        told: port.told.clone(),
    };
    // Plain data with string keys, which always becomes JSON.
    let value = serde_json::to_string(&config).unwrap_or_default();
    let packer = Packer::checking();
    let configuration = packer.any(&StringValue { value });
    extension(&name(port.number), configuration, module, packer)
}

/// A plugin with this configuration, in the shared virtual machine.
pub(super) fn extension(
    name: &str,
    configuration: Any,
    module: &Path,
    packer: Packer,
) -> Result<Resource, Violation> {
    let plugin = PluginConfig {
        name: name.to_owned(),
        configuration: Some(configuration),
        // Never open: with `cluster_header` an open failure would let a client choose the cluster.
        failure_policy: FailurePolicy::FailReload.into(),
        reload_config: Some(reload()),
        vm: Some(Vm::VmConfig(virtual_machine(module))),
        ..Default::default()
    };
    let extension = wire::extension(&packer, name, &Wasm { config: Some(plugin) });
    packer.check(&extension);
    packer.verdict()?;
    Ok(Resource::new(extension.encode_to_vec()))
}

/// A machine that crashed is replaced soon: until then, its worker answers every request with 503, for a second by
/// default. (With a millisecond here, Envoy 1.40 crashes.)
fn reload() -> ReloadConfig {
    ReloadConfig {
        backoff: Some(BackoffStrategy {
            base_interval: Some(Duration {
                seconds: 0,
                nanos: RELOAD_MS * 1_000_000,
            }),
            ..BackoffStrategy::default()
        }),
    }
}

/// Byte for byte the same for every port and every push, so that Envoy compiles the module once.
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
