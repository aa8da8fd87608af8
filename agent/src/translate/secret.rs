//! A credential as Envoy's Secret, without its name: each proxy gets it under the name that it asked for.

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, TlsCertificate, secret::Type,
};

use super::wire::inline;
use crate::credential::Credential;

/// The Secret of a credential; the caller's `name` field stays empty.
pub(super) fn build(credential: &Credential) -> Secret {
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
