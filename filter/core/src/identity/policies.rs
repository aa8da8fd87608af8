//! What a port's connections mean: what upstreams are told of each, and for which hosts it may be used.
//!
//! Chains are known by their names and TLS policies by their content, never by their place in a list: a connection may
//! have been made under an older configuration than the one that judges it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::config::IdentityConfig;
use super::connection::Connection;
use crate::domains::Domains;

/// The policies as data. Empty: nothing is to be known of connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// What upstreams are told; a chain that is in none tells nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Told>,
    /// By which connections hosts may be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<Demand>,
}

/// Chains that tell the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// By name.
    pub chains: Vec<String>,
    /// How it is told.
    pub identity: IdentityConfig,
}

/// The hosts of one server, and what they ask of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// `name`, `*.suffix` or `*`, lower-case: those of the servers, as an SNI is matched against them.
    pub domains: Vec<String>,
    /// The TLS policy of their server; none if any will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// Policies that run.
#[derive(Debug, Default)]
pub struct Policies {
    told: Vec<IdentityConfig>,
    chains: HashMap<Box<str>, usize>,
    policies: Vec<Option<String>>,
    domains: Domains,
}

impl Policies {
    /// Prepares them.
    #[must_use]
    pub fn new(config: PoliciesConfig) -> Self {
        let mut all = Self::default();
        for (at, told) in config.told.into_iter().enumerate() {
            all.told.push(told.identity);
            all.chains
                .extend(told.chains.into_iter().map(|chain| (chain.into(), at)));
        }
        for (at, demand) in config.demands.into_iter().enumerate() {
            all.policies.push(demand.policy);
            for domain in &demand.domains {
                all.domains.insert(domain, at);
            }
        }
        all
    }

    /// Whether connections need not be looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty() && self.policies.is_empty()
    }

    /// What upstreams are told of the connections of a chain.
    #[must_use]
    pub fn told(&self, chain: &str) -> Option<&IdentityConfig> {
        self.told.get(*self.chains.get(chain)?)
    }

    /// Whether a request for `authority` may come on a connection; none is one that nobody knows anything of. A host
    /// that belongs to no server is nobody's, and is found nowhere.
    ///
    /// A connection for the very server that the host belongs to stays good when that server's policy changes: Envoy
    /// drains it, and no request fails. Which server it was for, its SNI says: names and places of servers change.
    #[must_use]
    pub fn admits(&self, authority: &[u8], connection: Option<&Connection<'_>>) -> bool {
        let Some(at) = self.domains.find(authority) else {
            return true;
        };
        let Some(Some(demanded)) = self.policies.get(at) else {
            return true;
        };
        connection.is_some_and(|connection| {
            let sni = connection.sni.unwrap_or_default();
            demanded == connection.origin.policy || self.domains.find(sni.as_bytes()) == Some(at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::connection::Origin;

    fn demand(domains: &[&str], policy: Option<&str>) -> Demand {
        Demand {
            domains: domains.iter().map(ToString::to_string).collect(),
            policy: policy.map(str::to_owned),
        }
    }

    fn connection<'a>(sni: &'a str, policy: &'a str) -> Connection<'a> {
        Connection {
            origin: Origin {
                policy,
                ..Origin::default()
            },
            sni: Some(sni),
            ..Connection::default()
        }
    }

    #[test]
    fn a_host_asks_for_the_policy_of_the_server_that_its_name_would_choose() {
        let policies = Policies::new(PoliciesConfig {
            demands: vec![
                demand(&["*.example", "simple.com"], Some("simple")),
                demand(&["m.example", "*.m.example"], Some("mutual")),
                demand(&["open.m.example"], None),
            ],
            ..PoliciesConfig::default()
        });
        for (authority, sni, policy, expected) in [
            ("a.example", "elsewhere.com", "simple", true),
            ("a.example", "elsewhere.com", "mutual", false),
            ("m.example", "elsewhere.com", "simple", false),
            ("M.Example.:443", "elsewhere.com", "simple", false),
            ("a.m.example", "elsewhere.com", "simple", false),
            ("a.m.example", "elsewhere.com", "mutual", true),
            ("open.m.example", "elsewhere.com", "simple", true),
            ("a.open.m.example", "elsewhere.com", "simple", false),
            ("elsewhere.com", "elsewhere.com", "simple", true),
            ("m.example", "elsewhere.com", "a policy of yesterday", false),
            ("a.m.example", "m.example", "a policy of yesterday", true),
            ("m.example", "a.example", "simple", false),
            ("m.example", "", "simple", false),
        ] {
            assert_eq!(
                policies.admits(authority.as_bytes(), Some(&connection(sni, policy))),
                expected,
                "{authority} {sni} {policy}"
            );
        }
    }

    #[test]
    fn a_chain_tells_what_its_gateway_says() {
        let policies = Policies::new(PoliciesConfig {
            told: vec![Told {
                chains: vec!["a/b/0".to_owned()],
                identity: IdentityConfig::default(),
            }],
            ..PoliciesConfig::default()
        });
        assert!(policies.told("a/b/0").is_some() && policies.told("a/b/1").is_none());
        assert!(!policies.is_empty() && Policies::default().is_empty());
    }
}
