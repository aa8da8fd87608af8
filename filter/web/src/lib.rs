//! What the page asks: objects in, as manifests or as a running agent tells them; findings, hosts, rules and explanations out.
//! The code that decides is the filter's. Everything crosses the border as text, most of it JSON.

mod answer;
pub mod desk;
pub mod error;
#[cfg(target_arch = "wasm32")]
pub mod exports;
pub mod shown;
