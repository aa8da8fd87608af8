//! The Kubernetes objects that Sealgate reads, and what can be said of them without a socket, a clock or a key: what they
//! hold, what is wrong with them, what was probably not meant, and the gateway that comes of them.
//!
//! Nothing here knows where objects come from or where they go: no async, no TLS library, no Kubernetes client. It builds for
//! wasm32 too.

pub mod annotation;
pub mod budget;
pub mod cipher;
mod code;
mod credential_name;
mod event;
pub mod explain;
pub mod few;
mod finding;
mod gateway_ref;
mod kind;
pub mod kinds;
pub mod ledger;
pub mod line;
pub mod lint;
pub mod locality;
pub mod manifest;
mod named;
mod object;
mod parts;
mod patterns;
pub mod plugin;
pub mod preview;
pub mod protocol;
mod report;
pub mod resolve;
pub mod resolved;
mod severity;
mod stand_in;
pub mod store;
pub mod tenancy;
mod traffic_policy;
pub mod validate;

pub use code::{Code, Explanation, Section};
pub use credential_name::{BUNDLE_SUFFIX, CredentialName, secret_name};
pub use event::{SourceEvent, SourceObject, Step};
pub use finding::{Finding, FindingStatus};
pub use gateway_ref::resolve as gateway_name;
pub use kind::Kind;
pub use object::{Meta, Object, ObjectRef, SecretObject};
pub use severity::Severity;
