//! How bytes reach an upstream: in TLS, and after the client's address (PROXY protocol). Certificates come by name over
//! SDS, so that a rotation never changes the cluster.

use envoy_types::pb::envoy::config::core::v3::{
    ProxyProtocolConfig, TransportSocket, proxy_protocol_config::Version, transport_socket::ConfigType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::proxy_protocol::v3::ProxyProtocolUpstreamTransport;
use envoy_types::pb::envoy::extensions::transport_sockets::raw_buffer::v3::RawBuffer;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, UpstreamTlsContext,
    common_tls_context::{CombinedCertificateValidationContext, ValidationContextType},
};
use prost::{Message, Name};
use sealgate_model::resolved::{
    ProxyProtocolVersion, UpstreamHttp, UpstreamPolicy, UpstreamTls, UpstreamTrust,
};

use crate::translate::public_ca;
use crate::translate::tls::{any_kind_of_san, by_sds, by_sds_name};
use crate::valid::{Packer, Valid};

/// A SHA-256 hash for which nobody can make a certificate.
const NO_CERTIFICATE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// None for plain text with nothing before it.
pub(super) fn socket(http2: bool, policy: &UpstreamPolicy, packer: &Packer) -> Option<TransportSocket> {
    // With the client's version, both are possible: Envoy then offers the one that fits the request.
    let http2 = match policy.pool.version {
        Some(UpstreamHttp::Two) => true,
        Some(UpstreamHttp::Client) => false,
        None => http2,
    };
    let tls = policy.tls.as_ref();
    let tls = tls.map(|tls| named("tls", &context(tls, http2), packer));
    let Some(version) = policy.proxy_protocol else {
        return tls;
    };
    let version = match version {
        ProxyProtocolVersion::V1 => Version::V1,
        ProxyProtocolVersion::V2 => Version::V2,
    };
    let inner = tls.unwrap_or_else(|| named("raw_buffer", &RawBuffer::default(), packer));
    let outer = ProxyProtocolUpstreamTransport {
        config: Some(ProxyProtocolConfig {
            version: version.into(),
            ..ProxyProtocolConfig::default()
        }),
        transport_socket: Some(inner),
        ..ProxyProtocolUpstreamTransport::default()
    };
    Some(named("upstream_proxy_protocol", &outer, packer))
}

fn named<M: Message + Name + Valid>(kind: &str, config: &M, packer: &Packer) -> TransportSocket {
    TransportSocket {
        name: format!("envoy.transport_sockets.{kind}"),
        config_type: Some(ConfigType::TypedConfig(packer.any(config))),
    }
}

fn context(tls: &UpstreamTls, http2: bool) -> UpstreamTlsContext {
    UpstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_certificate_sds_secret_configs: tls.certificate.iter().map(by_sds).collect(),
            alpn_protocols: http2.then(|| "h2".to_owned()).into_iter().collect(),
            validation_context_type: validation(tls),
            ..CommonTlsContext::default()
        }),
        sni: tls.sni.clone().unwrap_or_default(),
        ..UpstreamTlsContext::default()
    }
}

fn validation(tls: &UpstreamTls) -> Option<ValidationContextType> {
    let trust = match &tls.trust {
        UpstreamTrust::Anybody => return None,
        UpstreamTrust::Nobody => {
            return Some(ValidationContextType::ValidationContext(
                CertificateValidationContext {
                    verify_certificate_hash: vec![NO_CERTIFICATE.to_owned()],
                    ..CertificateValidationContext::default()
                },
            ));
        }
        UpstreamTrust::Public => by_sds_name(public_ca::NAME),
        UpstreamTrust::Bundle(name) => by_sds(name),
    };
    let names = tls.subject_alt_names.iter();
    let names = CertificateValidationContext {
        match_typed_subject_alt_names: names.flat_map(|name| any_kind_of_san(name)).collect(),
        ..CertificateValidationContext::default()
    };
    // Combined even without names: Envoy checks the request's host only against a context that it may add to.
    Some(ValidationContextType::CombinedValidationContext(
        CombinedCertificateValidationContext {
            default_validation_context: Some(names),
            validation_context_sds_secret_config: Some(trust),
            ..CombinedCertificateValidationContext::default()
        },
    ))
}
