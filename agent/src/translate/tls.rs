//! The downstream TLS context: certificates by name over SDS, so that a rotation never changes a listener.

use envoy_types::pb::envoy::config::core::v3::TransportSocket;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig,
    SubjectAltNameMatcher, TlsParameters,
    common_tls_context::{CombinedCertificateValidationContext, ValidationContextType},
    downstream_tls_context::SessionTicketKeysType,
    subject_alt_name_matcher::SanType,
    tls_parameters::TlsProtocol,
};
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use sealgate_model::CredentialName;
use sealgate_model::resolved::{ClientCertificate, FilterChain, Tls, TlsVersion};

use super::{on_demand, wire};
use crate::valid::Packer;

/// How long a new listener waits for its secrets. The agent immediately says if one does not exist, so this is reached
/// only if the stream breaks in between, and by state-of-the-world proxies, which cannot be told; 0 would hold up all
/// other listeners.
const SECRET_TIMEOUT_S: i64 = 10;

/// How a chain terminates TLS; none on a plain port.
pub(super) fn transport_socket(port: u16, chain: &FilterChain, packer: &Packer) -> Option<TransportSocket> {
    let tls = chain.tls.as_deref()?;
    let context = DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            custom_tls_certificate_selector: chain
                .on_demand
                .then(|| on_demand::selector(port, chain, packer)),
            ..common_context(tls)
        }),
        // Envoy rejects the selector otherwise: a session could be resumed with a ticket from another certificate.
        disable_stateful_session_resumption: chain.on_demand,
        session_ticket_keys_type: chain
            .on_demand
            .then_some(SessionTicketKeysType::DisableStatelessSessionResumption(true)),
        require_client_certificate: matches!(tls.client, ClientCertificate::Checked { required: true, .. })
            .then(wire::yes)
            .flatten(),
        ..Default::default()
    };
    Some(TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(
            envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType::TypedConfig(
                packer.any(&context),
            ),
        ),
    })
}

/// What is the same for TCP and QUIC.
pub(super) fn common_context(tls: &Tls) -> CommonTlsContext {
    CommonTlsContext {
        tls_params: Some(TlsParameters {
            tls_minimum_protocol_version: protocol(tls.min_version).into(),
            tls_maximum_protocol_version: protocol(tls.max_version).into(),
            cipher_suites: tls.cipher_suites.clone(),
            ..Default::default()
        }),
        tls_certificate_sds_secret_configs: tls.certificates.iter().map(by_sds).collect(),
        alpn_protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
        validation_context_type: validation(&tls.client),
        ..Default::default()
    }
}

fn protocol(version: TlsVersion) -> TlsProtocol {
    match version {
        TlsVersion::V1_0 => TlsProtocol::TlSv10,
        TlsVersion::V1_1 => TlsProtocol::TlSv11,
        TlsVersion::V1_2 => TlsProtocol::TlSv12,
        TlsVersion::V1_3 => TlsProtocol::TlSv13,
    }
}

/// A credential by its name.
pub(super) fn by_sds(name: &CredentialName) -> SdsSecretConfig {
    by_sds_name(name.to_string())
}

/// A Secret by the name that proxies ask for.
pub(super) fn by_sds_name(name: impl Into<String>) -> SdsSecretConfig {
    SdsSecretConfig {
        name: name.into(),
        sds_config: Some(wire::from_ads(wire::seconds(SECRET_TIMEOUT_S))),
    }
}

fn validation(client: &ClientCertificate) -> Option<ValidationContextType> {
    let ClientCertificate::Checked {
        trust,
        subject_alt_names,
        spki,
        hash,
        ..
    } = client
    else {
        return None;
    };
    if subject_alt_names.is_empty() && spki.is_empty() && hash.is_empty() {
        return Some(ValidationContextType::ValidationContextSdsSecretConfig(by_sds(
            trust,
        )));
    }
    let demands = CertificateValidationContext {
        match_typed_subject_alt_names: subject_alt_names
            .iter()
            .flat_map(|name| any_kind_of_san(name))
            .collect(),
        verify_certificate_spki: spki.clone(),
        verify_certificate_hash: hash.clone(),
        ..Default::default()
    };
    Some(ValidationContextType::CombinedValidationContext(
        CombinedCertificateValidationContext {
            default_validation_context: Some(demands),
            validation_context_sds_secret_config: Some(by_sds(trust)),
            ..Default::default()
        },
    ))
}

/// Istio does not name a kind, so a name may be a DNS name, a URI, an email address or an IP address.
pub(super) fn any_kind_of_san(name: &str) -> impl Iterator<Item = SubjectAltNameMatcher> {
    [SanType::Dns, SanType::Uri, SanType::Email, SanType::IpAddress]
        .into_iter()
        .map(move |kind| SubjectAltNameMatcher {
            san_type: kind.into(),
            matcher: Some(StringMatcher {
                match_pattern: Some(MatchPattern::Exact(name.to_owned())),
                ..Default::default()
            }),
            ..Default::default()
        })
}
