//! The agent: Kubernetes objects in, Envoy's configuration out, one direction only.
//! source -> state -> translate -> snapshot -> xds; `ARCHITECTURE.md` has the picture.

pub mod admin;
pub mod args;
pub mod cli;
pub mod config;
pub mod credential;
pub mod engine;
mod lint;
pub mod news;
pub mod report;
pub mod snapshot;
pub mod source;
pub mod state;
pub mod translate;
pub mod xds;
