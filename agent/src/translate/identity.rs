//! What upstreams are told of clients: the annotation `sealgate.dev/identity`, what the filter gets of it, and what
//! Envoy is made to write down of each connection.

use std::collections::BTreeSet;

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
use sealgate_core::config::GatewaySpec;
use sealgate_core::host;
use sealgate_core::identity::{
    Demand, FILTER_STATE, IdentityConfig, Misdirected, Origin, PoliciesConfig, Told, Xfcc, format,
};
use sha2::{Digest as _, Sha256};

use super::model::{Chain, ClientCertificate, Meaning, Port, Tls};
use super::wire;
use crate::object::Meta;

/// The annotation of a Gateway.
pub const ANNOTATION: &str = "sealgate.dev/identity";

/// What a Gateway's annotation says; none if there is none.
///
/// # Errors
/// What is wrong with it, for people.
pub fn annotation(meta: &Meta) -> Option<Result<IdentityConfig, String>> {
    let text = meta.annotations.get(ANNOTATION)?;
    let read = if text.trim().is_empty() {
        Ok(IdentityConfig::default())
    } else {
        serde_saphyr::from_str::<IdentityConfig>(text).map_err(|error| error.to_string())
    };
    Some(read.and_then(|config| match config.check() {
        Ok(()) => Ok(config),
        Err(error) => Err(error.to_string()),
    }))
}

/// What the connections of a server mean. Without an annotation, those that may show a certificate tell of it.
pub(super) fn meaning(meta: &Meta, tls: Option<&Tls>) -> Meaning {
    let asks = tls.is_some_and(|tls| tls.client != ClientCertificate::None);
    // One that cannot be read never became part of the state.
    let own = annotation(meta).and_then(Result::ok);
    let any_connection = own
        .as_ref()
        .is_some_and(|config| config.misdirected == Misdirected::Allow);
    let told = own.or_else(|| asks.then(IdentityConfig::default));
    Meaning {
        told: told.filter(IdentityConfig::tells_something),
        any_connection,
    }
}

/// Every prefix that users gave to identity headers.
pub(super) fn prefixes(gateways: &[(&Meta, &GatewaySpec)]) -> BTreeSet<String> {
    let configs = gateways.iter().filter_map(|(meta, _)| annotation(meta)?.ok());
    configs
        .filter_map(|config| config.own_prefix().map(str::to_owned))
        .collect()
}

/// What the filter has to know of a port's connections: nothing, if none of them shows a certificate or tells
/// anything, and all are as good as each other.
pub(super) fn policies(chains: &[Chain]) -> PoliciesConfig {
    let mut told: Vec<Told> = Vec::new();
    for chain in chains {
        let Some(identity) = &chain.meaning.told else {
            continue;
        };
        match told.iter_mut().find(|known| known.identity == *identity) {
            Some(known) => known.chains.push(chain.name.clone()),
            None => told.push(Told {
                chains: vec![chain.name.clone()],
                identity: identity.clone(),
            }),
        }
    }
    PoliciesConfig {
        told,
        demands: demands(chains),
    }
}

/// By which connections hosts may be reached. Certificates of the gateway do not matter: which one it showed is the
/// client's business. Where all chains demand the same, and no certificate, there is nothing to be got round.
fn demands(chains: &[Chain]) -> Vec<Demand> {
    let secure: Vec<_> = chains
        .iter()
        .filter_map(|chain| Some((chain, chain.tls.as_ref()?)))
        .collect();
    let policies: BTreeSet<_> = secure.iter().map(|(_, tls)| policy(tls)).collect();
    if policies.len() < 2 && !secure.iter().any(|(chain, _)| asks(chain)) {
        return Vec::new();
    }
    let demand = |(chain, tls): (&Chain, &Tls)| Demand {
        server: chain.name.clone(),
        domains: chain.domains().map(str::to_owned).collect(),
        policy: (!chain.meaning.any_connection).then(|| policy(tls)),
    };
    secure.into_iter().map(demand).collect()
}

/// Names what a handshake had to fulfil, by its content.
fn policy(tls: &Tls) -> String {
    let demands = std::format!(
        "{:?} {:?} {:?} {:?}",
        tls.client,
        tls.min_version,
        tls.max_version,
        tls.cipher_suites
    );
    let digest = Sha256::digest(demands);
    digest
        .iter()
        .take(8)
        .map(|byte| std::format!("{byte:02x}"))
        .collect()
}

/// Makes Envoy write down what the filter may ask of a connection, once, when its handshake is done. Every connection
/// with TLS says what it is, asked or not: a server that begins to ask for certificates changes no other chain.
pub(super) fn describing_filter(port: &Port, chain: &Chain) -> Option<Filter> {
    if chain.tls.is_none() && port.table.policies == PoliciesConfig::default() {
        return None;
    }
    let policy = chain.tls.as_ref().map_or_else(|| "-".to_owned(), policy);
    let origin = Origin {
        chain: &chain.name,
        policy: &policy,
        // Every validation context that we make has a trust bundle, and none takes what it does not verify.
        checked: asks(chain),
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
        config_type: Some(ConfigType::TypedConfig(wire::any(&config))),
    })
}

/// Whether the filter, and not Envoy, decides what becomes of the XFCC header that a client sent.
pub(super) fn keeps_xfcc(chain: &Chain) -> bool {
    told(chain).is_some_and(|told| told.xfcc == Xfcc::AppendForward)
}

/// What Envoy itself does with XFCC. What it writes there can be made to say what is not so; only the chain, which is
/// to be had nowhere else, is taken from it, and its header never goes further than the filter.
pub(super) fn forwarding(chain: &Chain) -> (ForwardClientCertDetails, Option<SetCurrentClientCertDetails>) {
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

fn wants_chain(chain: &Chain) -> bool {
    told(chain).is_some_and(IdentityConfig::wants_chain)
}

/// The chain that a connection for this host comes in by.
#[must_use]
pub fn chain_of<'p>(port: &'p Port, name: &str) -> Option<&'p Chain> {
    let domains = port
        .chains
        .iter()
        .flat_map(|chain| chain.domains().map(move |domain| (domain, chain)));
    let taking = domains.filter(|(domain, _)| *domain == "*" || host::matches(domain, name));
    let (_, chain) = taking.max_by_key(|(domain, _)| host::precedence(domain))?;
    Some(chain)
}

/// What a chain tells, if its connections can show a certificate at all.
pub(crate) fn told(chain: &Chain) -> Option<&IdentityConfig> {
    chain.meaning.told.as_ref().filter(|_| asks(chain))
}

fn asks(chain: &Chain) -> bool {
    let tls = chain.tls.as_ref();
    tls.is_some_and(|tls| tls.client != ClientCertificate::None)
}

#[cfg(test)]
mod tests;
