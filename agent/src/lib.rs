//! The agent: Kubernetes objects in, Envoy's configuration out, one direction only.
//! source -> engine -> translate -> snapshot -> xds; `ARCHITECTURE.md` has the picture.

pub mod admin;
pub mod args;
mod blame;
pub mod claim_log;
pub mod cli;
pub mod config;
pub mod credential;
pub mod credentials;
mod deadlines;
pub mod demand;
pub mod engine;
pub mod envoy_limits;
pub mod explain;
pub mod kept;
mod news;
mod one_line;
pub mod pod_demand;
mod private;
pub mod public_ca;
pub mod questions;
mod rebind;
pub mod report;
pub mod scope;
pub mod shared;
pub mod snapshot;
pub mod source;
pub mod translate;
pub mod trial;
mod unread;
pub mod valid;
pub mod vital;
pub mod xds;
