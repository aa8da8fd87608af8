//! Decides where a request goes and who its client is. Without a host, clock or IO: the filter, the agent and the
//! browser run the same code.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod arrival;
mod bounded;
pub mod config;
pub mod convert;
pub mod cors;
mod decide;
pub mod decision;
pub mod draw;
pub mod explain;
pub mod fault;
pub mod header_format;
pub mod header_order;
pub mod host;
pub mod identity;
mod matcher;
pub mod names;
mod path;
pub mod plugin;
pub mod port;
mod query;
pub mod reading;
mod redirect;
mod regex;
pub mod request;
pub mod rules;
pub mod table;
mod undecided;
