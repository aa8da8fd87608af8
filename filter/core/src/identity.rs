//! Who the client is, as headers that an upstream can trust: facts from a certificate, and how each is written.
//!
//! Everything in a certificate is untrusted input. The output is always visible ASCII and spaces, so that no value can
//! end a header, begin another one, or be read as two.

mod certificate;
mod client_cert;
mod config;
mod connection;
mod escape;
mod header;
mod name;
mod policies;
mod render;
mod xfcc;

pub use certificate::{BadCertificate, PeerIdentity, der_from_pem};
pub use client_cert::{certificates_from_pem, chain_from_xfcc};
pub(crate) use config::PREFIX_ENDS;
pub use config::{BadIdentity, CertHeader, IdentityConfig, Misdirected, Unverified, Xfcc};
pub use connection::{Connection, ConnectionOrigin, FILTER_STATE, Standing, described, format};
pub(crate) use header::FIXED;
pub use header::{Discrete, header_names};
pub use policies::{IdentityPolicy, Policies, PoliciesConfig, ServerDemand};
pub use render::{Rendered, Sources, render};

#[cfg(test)]
pub(crate) mod tests;
