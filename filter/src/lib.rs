//! The proxy-wasm filter: chooses each request's destination inside Envoy. `sealgate-core` makes the decisions; this
//! crate reads requests from the host and applies them. No code may trap: a trap ends the VM and all its requests.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod abi;
#[cfg(feature = "alone")]
mod alone;
#[cfg(not(feature = "alone"))]
#[path = "not_alone.rs"]
mod alone;
mod command;
mod contexts;
mod draw;
mod exports;
mod host;
mod http;
mod identity;
mod root;
mod table;

#[cfg(test)]
mod tests;
