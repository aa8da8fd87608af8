//! The proxy-wasm filter: picks each request's destination inside Envoy. The decisions are `sealgate-core`'s; this
//! crate reads requests from the host and applies what was decided. No code path may trap: a trap ends the VM and
//! with it every request that it holds.
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
