//! The filter's module after linking. Envoy enters a module at every callback that it exports, needed or not, and each
//! time costs: whatever else is exported is taken off, and with it the names and the code that nothing reaches.

use anyhow::{Context as _, Result, ensure};
use walrus::ModuleConfig;

/// What Envoy needs of the module, or the filter of Envoy.
const EXPORTS: [&str; 11] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
];

/// The module with these exports alone.
pub(crate) fn strip(module: &[u8]) -> Result<Vec<u8>> {
    let mut config = ModuleConfig::new();
    config
        .generate_name_section(false)
        .generate_producers_section(false);
    let mut module = config.parse(module).context("the filter's module")?;
    let surplus: Vec<_> = module
        .exports
        .iter()
        .filter(|export| !EXPORTS.contains(&export.name.as_str()))
        .map(|export| export.id())
        .collect();
    surplus
        .into_iter()
        .for_each(|export| module.exports.delete(export));
    for name in EXPORTS {
        let is_there = module.exports.iter().any(|export| export.name == name);
        ensure!(is_there, "the filter's module does not export {name}");
    }
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}
