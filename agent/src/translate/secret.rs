//! A credential as Envoy's Secret, without a name: each proxy gets it under the name that it asked for.

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, TlsCertificate, secret::Type,
};

use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use prost::Message as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::wire::inline;
use crate::credential::Credential;
use crate::snapshot::{Body, Resource};
use crate::valid::{Valid as _, Violation};

/// The Secret of a credential. Only the credential has the content, which is encoded when it is sent.
pub(super) fn resource(credential: &Arc<Credential>) -> Result<Resource, Violation> {
    let secret = Wiped(build(credential));
    secret.0.valid()?;
    let body = Arc::<Credential>::clone(credential);
    Ok(Resource::of(credential.version(), secret.0.encoded_len(), body))
}

impl Body for Credential {
    fn encode(&self, sink: &mut dyn FnMut(&[u8])) {
        let secret = Wiped(build(self));
        // With its final size: growing would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(secret.0.encoded_len()));
        // It cannot fail: there is room.
        let _ = secret.0.encode(&mut *bytes);
        sink(&bytes);
    }
}

/// Wipes the private key when it is dropped.
struct Wiped(Secret);

impl Drop for Wiped {
    fn drop(&mut self) {
        let Some(Type::TlsCertificate(certificate)) = &mut self.0.r#type else {
            return;
        };
        let key = certificate.private_key.as_mut();
        if let Some(Specifier::InlineBytes(bytes)) = key.and_then(|key| key.specifier.as_mut()) {
            bytes.zeroize();
        }
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
