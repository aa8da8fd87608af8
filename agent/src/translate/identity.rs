//! What upstreams are told about clients: the annotation `sealgate.dev/identity`, the filter's configuration from it,
//! and what Envoy records about each connection.

use envoy_types::pb::envoy::config::core::v3::{
    DataSource, SubstitutionFormatString, data_source::Specifier, substitution_format_string::Format,
};
use envoy_types::pb::envoy::config::listener::v3::{Filter, filter::ConfigType};
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::{
    FilterStateValue,
    filter_state_value::{Key, Value},
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    ForwardClientCertDetails, SetCurrentClientCertDetails,
};
use envoy_types::pb::envoy::extensions::filters::network::set_filter_state::v3::Config;
use sealgate_core::identity::{
    FILTER_STATE, IdentityConfig, ConnectionOrigin, Xfcc, format,
};
use sealgate_model::resolved::{FilterChain, ServedPort};

use crate::valid::Packer;

/// Makes Envoy record what the filter needs about a connection, once, after its handshake. Every connection with TLS is
/// described, needed or not, so that a server that starts to ask for certificates changes no other chain.
pub(super) fn describing_filter(port: &ServedPort, chain: &FilterChain, packer: &Packer) -> Option<Filter> {
    if chain.tls.is_none() && port.told.is_empty() && !port.demands {
        return None;
    }
    let policy = chain.policy.as_deref().unwrap_or("-");
    let origin = ConnectionOrigin {
        chain: &chain.name,
        policy,
        // All our validation contexts have a trust bundle, and none accepts an unverified certificate.
        checked: chain.asks(),
    };
    let text = format(&origin, wants_chain(chain));
    let value = FilterStateValue {
        key: Some(Key::ObjectKey(FILTER_STATE.to_owned())),
        factory_key: "envoy.string".to_owned(),
        value: Some(Value::FormatString(SubstitutionFormatString {
            format: Some(Format::TextFormatSource(DataSource {
                specifier: Some(Specifier::InlineString(text)),
                ..Default::default()
            })),
            ..Default::default()
        })),
        ..Default::default()
    };
    let config = Config {
        on_downstream_tls_handshake: vec![value],
        ..Default::default()
    };
    Some(Filter {
        name: "envoy.filters.network.set_filter_state".to_owned(),
        config_type: Some(ConfigType::TypedConfig(packer.any(&config))),
    })
}

/// Whether the filter, not Envoy, decides about the XFCC header that a client sent.
pub(super) fn keeps_xfcc(chain: &FilterChain) -> bool {
    chain.told().is_some_and(|told| told.xfcc == Xfcc::AppendForward)
}

/// What Envoy itself does with XFCC. Clients can make it write false values there; the filter only takes the chain from
/// it, which is available nowhere else, and removes the header.
pub(super) fn forwarding(
    chain: &FilterChain,
) -> (ForwardClientCertDetails, Option<SetCurrentClientCertDetails>) {
    if wants_chain(chain) {
        let details = SetCurrentClientCertDetails {
            chain: true,
            ..Default::default()
        };
        (ForwardClientCertDetails::SanitizeSet, Some(details))
    } else if keeps_xfcc(chain) {
        (ForwardClientCertDetails::AlwaysForwardOnly, None)
    } else {
        (ForwardClientCertDetails::Sanitize, None)
    }
}

fn wants_chain(chain: &FilterChain) -> bool {
    chain.told().is_some_and(IdentityConfig::wants_chain)
}
