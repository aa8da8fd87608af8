//! The page's WebAssembly module. It reads objects, from manifests or from a running agent, and answers with findings,
//! hosts, rules and explanations. Decisions are made by the filter's code. Inputs and outputs are text, most of it
//! JSON.

mod answer;
pub mod desk;
pub mod error;
#[cfg(target_arch = "wasm32")]
pub mod exports;
pub mod shown;
