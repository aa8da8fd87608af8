//! The proxy-wasm filter: picks each request's destination inside Envoy. The decisions are `sealgate-core`'s; this
//! crate reads requests from the host and applies what was decided. No code path may trap: a trap ends the VM and
//! with it every request that it holds.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod command;
mod draw;
mod host;
mod http;
mod identity;
mod root;
mod table;

mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
