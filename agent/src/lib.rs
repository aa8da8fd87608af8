//! The agent: Kubernetes objects in, Envoy's configuration out, one direction only.
//! source -> state -> translate -> snapshot -> xds; `ARCHITECTURE.md` has the picture.

pub mod credential;
pub mod object;
pub mod snapshot;
pub mod source;
pub mod state;
pub mod validate;
pub mod xds;
