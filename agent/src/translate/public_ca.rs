//! The public authorities as a Secret, which clusters refer to by name, so that each cluster stays small.

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, secret::Type,
};
use prost::Message as _;

use super::wire;
use crate::public_ca::PublicCa;
use crate::snapshot::Resource;
use crate::valid::{Valid as _, Violation};

/// The name by which clusters ask for it. Namespaces have no dots, so no credential can have this name.
pub(super) const NAME: &str = "sealgate.public/authorities";

pub(super) fn resource(ca: &PublicCa) -> Result<Resource, Violation> {
    let secret = Secret {
        name: String::new(),
        r#type: Some(Type::ValidationContext(CertificateValidationContext {
            trusted_ca: Some(wire::inline(ca.pem().as_bytes())),
            ..CertificateValidationContext::default()
        })),
    };
    secret.valid()?;
    Ok(Resource::new(secret.encode_to_vec()))
}
