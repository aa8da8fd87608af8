//! Chooses the filter chain of a connection, on a port with certificates on demand: with a matcher instead of the
//! chains' own server names. The result is the same, except that an SNI that no host can have gets no chain at all.
//! Envoy would ask for it, could not read any answer that repeats it (names in protobuf are UTF-8), and would never
//! stop asking.
//!
//! The messages are those of `xds.type.matcher.v3`, declared again because those have an unordered map.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::extensions::matching::common_inputs::network::v3::ServerNameInput;
use envoy_types::pb::google::protobuf::StringValue;
use envoy_types::pb::xds::core::v3::TypedExtensionConfig;
use envoy_types::pb::xds::r#type::matcher::v3::{
    RegexMatcher, StringMatcher,
    regex_matcher::{EngineType, GoogleRe2},
    string_matcher::MatchPattern,
};
use prost::{Message, Name};
use sealgate_model::resolved::{FilterChain, ServedPort};

use crate::valid::{Packer, Valid};

/// `Listener.filter_chain_matcher`.
pub(super) const FIELD: u32 = 32;
/// Every name that a host can have, in lower case, as Envoy compares it.
const HOST: &str = "[0-9a-z._-]{1,254}";
/// Any bytes, text or not.
const ANYTHING: &str = r"(?s)\C+";
/// There is no chain of this name: the connection is closed.
const NOBODY: &str = "nobody";

/// `Matcher`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Matcher {
    #[prost(message, optional, tag = "1")]
    list: Option<List>,
    #[prost(message, optional, tag = "2")]
    tree: Option<MatcherTree>,
    #[prost(message, optional, boxed, tag = "3")]
    otherwise: Option<Box<Then>>,
}

/// `OnMatch`.
#[derive(Clone, PartialEq, Message)]
struct Then {
    #[prost(message, optional, boxed, tag = "1")]
    matcher: Option<Box<Matcher>>,
    #[prost(message, optional, tag = "2")]
    action: Option<TypedExtensionConfig>,
}

/// `MatcherList`.
#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    matchers: Vec<Field>,
}

/// `FieldMatcher`.
#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(message, optional, tag = "1")]
    predicate: Option<Predicate>,
    #[prost(message, optional, tag = "2")]
    then: Option<Then>,
}

/// `Predicate`.
#[derive(Clone, PartialEq, Message)]
struct Predicate {
    #[prost(message, optional, tag = "1")]
    single: Option<Single>,
}

/// `SinglePredicate`.
#[derive(Clone, PartialEq, Message)]
struct Single {
    #[prost(message, optional, tag = "1")]
    input: Option<TypedExtensionConfig>,
    #[prost(message, optional, tag = "2")]
    value: Option<StringMatcher>,
}

/// `MatcherTree`.
#[derive(Clone, PartialEq, Message)]
struct MatcherTree {
    #[prost(message, optional, tag = "1")]
    input: Option<TypedExtensionConfig>,
    #[prost(message, optional, tag = "2")]
    exact: Option<Map>,
}

/// `MatchMap`.
#[derive(Clone, PartialEq, Message)]
struct Map {
    #[prost(message, repeated, tag = "1")]
    entries: Vec<MapEntry>,
}

/// An entry of a map on the wire.
#[derive(Clone, PartialEq, Message)]
struct MapEntry {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    then: Option<Then>,
}

/// Whether connections find the chains of a port by [`matcher`].
pub(super) fn is_needed(port: &ServedPort) -> bool {
    port.chains.iter().any(|chain| chain.on_demand)
}

/// See the module.
pub(super) fn matcher(port: &ServedPort, packer: &Packer) -> Option<Matcher> {
    let shared = port.chains.iter().find(|chain| chain.on_demand)?;
    let names = port.chains.iter().flat_map(|chain| names(chain, &chain.name));
    choosing(names.collect(), &shared.name, packer)
}

/// The same over QUIC.
pub(super) fn quic_matcher(port: &ServedPort, packer: &Packer) -> Option<Matcher> {
    let (names, rest) = over_quic(port);
    choosing(names, rest, packer)
}

/// Over QUIC, only some chains exist: a name that another chain has over TCP gets none, although a wider chain would
/// match it. Returns where each name leads, and where all others do.
fn over_quic(port: &ServedPort) -> (Vec<(&str, &str)>, &str) {
    let here = || port.chains.iter().filter(|chain| chain.http3);
    let elsewhere = port.chains.iter().filter(|chain| !chain.http3);
    let rest = here().find(|chain| chain.server_names.is_empty());
    let wildcards: BTreeSet<&str> = here()
        .flat_map(|chain| chain.server_names.iter())
        .filter_map(|name| name.strip_prefix('*'))
        .collect();
    let is_within = |name: &str| {
        let mut dots = name.match_indices('.').filter(|(at, _)| *at > 0);
        rest.is_some() || dots.any(|(at, _)| name.get(at..).is_some_and(|end| wildcards.contains(end)))
    };
    let elsewhere = elsewhere.flat_map(|chain| names(chain, NOBODY));
    let elsewhere = elsewhere.filter(|(name, _)| is_within(name));
    let here = here().flat_map(|chain| names(chain, &chain.name));
    let rest = rest.map_or(NOBODY, |chain| &*chain.name);
    (here.chain(elsewhere).collect(), rest)
}

/// The server names of a chain, each with where it leads.
fn names<'c>(chain: &'c FilterChain, to: &'c str) -> impl Iterator<Item = (&'c str, &'c str)> {
    chain.server_names.iter().map(move |name| (&**name, to))
}

/// Chains by names; `rest` takes all others.
fn choosing(mut names: Vec<(&str, &str)>, rest: &str, packer: &Packer) -> Option<Matcher> {
    names.sort_unstable_by_key(|(name, _)| (std::cmp::Reverse(name.len()), *name));
    let (wildcards, exact): (Vec<_>, Vec<_>) = names.into_iter().partition(|(name, _)| name.starts_with('*'));
    let by_suffix = wildcards.into_iter().map(|(name, chain)| {
        let suffix = name.trim_start_matches('*').to_owned();
        field(packer, MatchPattern::Suffix(suffix), to(packer, chain))
    });
    let by_suffix = list(by_suffix.collect(), to(packer, rest));
    let exact = exact.into_iter().map(|(name, chain)| MapEntry {
        name: name.to_owned(),
        then: Some(to(packer, chain)),
    });
    let by_name = tree(packer, exact.collect(), by_suffix);
    let fields = vec![
        field(packer, regex(HOST), by_name),
        field(packer, regex(ANYTHING), to(packer, NOBODY)),
    ];
    list(fields, to(packer, rest)).matcher.map(|matcher| *matcher)
}

/// Chooses the first field that matches; an empty list becomes `otherwise`.
fn list(matchers: Vec<Field>, otherwise: Then) -> Then {
    if matchers.is_empty() {
        return otherwise;
    }
    nested(Matcher {
        list: Some(List { matchers }),
        tree: None,
        otherwise: Some(Box::new(otherwise)),
    })
}

fn tree(packer: &Packer, entries: Vec<MapEntry>, otherwise: Then) -> Then {
    if entries.is_empty() {
        return otherwise;
    }
    nested(Matcher {
        list: None,
        tree: Some(MatcherTree {
            input: Some(server_name(packer)),
            exact: Some(Map { entries }),
        }),
        otherwise: Some(Box::new(otherwise)),
    })
}

fn nested(matcher: Matcher) -> Then {
    Then {
        matcher: Some(Box::new(matcher)),
        action: None,
    }
}

fn to(packer: &Packer, chain: &str) -> Then {
    let value = StringValue {
        value: chain.to_owned(),
    };
    Then {
        matcher: None,
        action: Some(extension(packer, "chain", &value)),
    }
}

fn field(packer: &Packer, pattern: MatchPattern, then: Then) -> Field {
    let value = StringMatcher {
        match_pattern: Some(pattern),
        ..StringMatcher::default()
    };
    packer.check(&value);
    Field {
        predicate: Some(Predicate {
            single: Some(Single {
                input: Some(server_name(packer)),
                value: Some(value),
            }),
        }),
        then: Some(then),
    }
}

fn regex(regex: &str) -> MatchPattern {
    MatchPattern::SafeRegex(RegexMatcher {
        regex: regex.to_owned(),
        engine_type: Some(EngineType::GoogleRe2(GoogleRe2 {})),
    })
}

fn server_name(packer: &Packer) -> TypedExtensionConfig {
    extension(packer, "envoy.matching.inputs.server_name", &ServerNameInput {})
}

fn extension<M: Message + Name + Valid>(packer: &Packer, name: &str, message: &M) -> TypedExtensionConfig {
    let extension = TypedExtensionConfig {
        name: name.to_owned(),
        typed_config: Some(packer.any(message)),
    };
    packer.check(&extension);
    extension
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sealgate_model::resolved::Meaning;

    use super::*;

    fn port(chains: &[(&str, &[&str], bool)]) -> ServedPort {
        let chains = chains.iter().map(|(name, hosts, http3)| {
            Arc::new(FilterChain {
                name: (*name).into(),
                server_names: hosts.iter().map(|host| Arc::from(*host)).collect(),
                http3: *http3,
                ..FilterChain::plain(Meaning::default())
            })
        });
        ServedPort {
            number: 443,
            bind: 443,
            chains: chains.collect(),
            told: Vec::new(),
            demands: false,
            prefixes: BTreeSet::new(),
            mirrors: Vec::new(),
            delays: false,
        }
    }

    #[test]
    fn over_quic_no_name_of_another_chain_leads_to_a_wider_one() {
        let named = port(&[
            ("wide", &["*.wide.test"], true),
            ("exact", &["exact.test"], true),
            ("within", &["a.wide.test", "*.b.wide.test"], false),
            ("beside", &["beside.test", "wide.test"], false),
        ]);
        let expected = vec![
            ("*.wide.test", "wide"),
            ("exact.test", "exact"),
            ("a.wide.test", NOBODY),
            ("*.b.wide.test", NOBODY),
        ];
        assert_eq!(over_quic(&named), (expected, NOBODY));
        let all = port(&[("rest", &[], true), ("named", &["a.test"], false)]);
        assert_eq!(over_quic(&all), (vec![("a.test", NOBODY)], "rest"));
        let none = port(&[("rest", &[], false), ("named", &["a.test"], true)]);
        assert_eq!(over_quic(&none), (vec![("a.test", "named")], NOBODY));
    }
}
