//! Random rules and requests: `explain` must predict what the real Envoy does with each request, over HTTP/1.1 and
//! HTTP/2. A run is a sequence of editions of the rules, each with its own hosts, so that nothing of an earlier edition
//! can answer.

mod ground;
mod headers;
mod judge;
mod mirrored;
mod pools;
mod requests;
mod rules;
mod run;

pub use self::run::{AgreementArgs, Report, agreement};
