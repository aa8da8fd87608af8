//! A credential as Envoy's Secret, without its name: each proxy gets it under the name that it asked for.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, TlsCertificate, secret::Type,
};

use prost::Message as _;

use super::wire::inline;
use crate::credential::Credential;
use crate::snapshot::{Body, Resource};
use crate::valid::{Valid as _, Violation};

/// The Secret of a credential: its content is held by the credential alone, and encoded when it is sent.
pub(super) fn resource(credential: &Arc<Credential>) -> Result<Resource, Violation> {
    let secret = build(credential);
    secret.valid()?;
    let body = Arc::<Credential>::clone(credential);
    Ok(Resource::of(credential.version(), secret.encoded_len(), body))
}

impl Body for Credential {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(&build(self).encode_to_vec());
    }
}

/// The `name` stays empty.
fn build(credential: &Credential) -> Secret {
    let body = match credential {
        Credential::KeyPair(pair) => Type::TlsCertificate(TlsCertificate {
            certificate_chain: Some(inline(pair.chain_pem())),
            private_key: Some(inline(pair.key_pem())),
            ocsp_staple: pair.ocsp_staple().map(inline),
            ..Default::default()
        }),
        Credential::TrustBundle(bundle) => Type::ValidationContext(CertificateValidationContext {
            trusted_ca: Some(inline(bundle.pem())),
            crl: bundle.crl_pem().map(inline),
            ..Default::default()
        }),
    };
    Secret {
        name: String::new(),
        r#type: Some(body),
    }
}
