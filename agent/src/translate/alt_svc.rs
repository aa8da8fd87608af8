//! Tells clients on TCP that the same hosts are available over HTTP/3: no client would try it otherwise.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation as Mutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::core::v3::{
    HeaderValue, HeaderValueOption, header_value_option::HeaderAppendAction,
};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{HeaderMutation, Mutations};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter,
};

use crate::valid::Packer;

/// How many seconds a client may remember it. A client for which HTTP/3 does not work uses TCP again.
const REMEMBERED_S: u32 = 86_400;

/// Adds the header to responses that have none: one set by the application or a rule is kept. `port` is the one that
/// clients connect to.
pub(super) fn filter(port: u16, packer: &Packer) -> HttpFilter {
    let header = HeaderValueOption {
        header: Some(HeaderValue {
            key: "alt-svc".to_owned(),
            value: format!("h3=\":{port}\"; ma={REMEMBERED_S}"),
            ..Default::default()
        }),
        append_action: HeaderAppendAction::AddIfAbsent.into(),
        ..Default::default()
    };
    let mutation = HeaderMutation {
        mutations: Some(Mutations {
            response_mutations: vec![Mutation {
                action: Some(Action::Append(header)),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    HttpFilter {
        name: "envoy.filters.http.header_mutation".to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(packer.any(&mutation))),
        ..Default::default()
    }
}
