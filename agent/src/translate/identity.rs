//! What upstreams are told of clients: the annotation `sealgate.dev/identity`, what the filter gets of it, and what
//! Envoy is made to write down of each connection.

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

/// Makes Envoy write down what the filter may ask of a connection, once, when its handshake is done. Every connection
/// with TLS says what it is, asked or not: a server that begins to ask for certificates changes no other chain.
pub(super) fn describing_filter(port: &ServedPort, chain: &FilterChain, packer: &Packer) -> Option<Filter> {
    if chain.tls.is_none() && port.told.is_empty() && !port.demands {
        return None;
    }
    let policy = chain.policy.as_deref().unwrap_or("-");
    let origin = ConnectionOrigin {
        chain: &chain.name,
        policy,
        // Every validation context that we make has a trust bundle, and none takes what it does not verify.
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

/// Whether the filter, and not Envoy, decides what becomes of the XFCC header that a client sent.
pub(super) fn keeps_xfcc(chain: &FilterChain) -> bool {
    chain.told().is_some_and(|told| told.xfcc == Xfcc::AppendForward)
}

/// What Envoy itself does with XFCC. What it writes there can be made to say what is not so; only the chain, which is
/// to be had nowhere else, is taken from it, and its header never goes further than the filter.
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
