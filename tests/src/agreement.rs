//! Rules and requests by chance: what `explain` says of each request is what the real Envoy does, over HTTP/1.1 and
//! HTTP/2. A run is an edition of the rules after the other, each with hosts of its own, so that nothing of the edition
//! before can answer.

mod ground;
mod headers;
mod judge;
mod mirrored;
mod pools;
mod requests;
mod rules;
mod run;

pub use self::run::{AgreementArgs, Report, agreement};
