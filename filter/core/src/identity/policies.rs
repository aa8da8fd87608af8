//! The policies for a port's connections: what upstreams are told about each, and for which hosts it may be used.
//!
//! Chains are identified by name and TLS policies by content, never by their place in a list: a connection may have
//! been made under an older configuration than the current one. The table knows for which hosts it may be used
//! ([`crate::table::RouteTable::admits`]).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::config::IdentityConfig;

/// The policies as data. If empty, nothing needs to be known about connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoliciesConfig {
    /// What upstreams are told; nothing for a chain that is in none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<IdentityPolicy>,
    /// What hosts require of connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub demands: Vec<ServerDemand>,
}

/// Chains for which upstreams are told the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityPolicy {
    /// By name.
    pub chains: Vec<String>,
    /// How it is told.
    pub identity: IdentityConfig,
}

/// The hosts of one server, and what they require of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerDemand {
    /// The name of the server, unique within the port. It contains no spaces.
    pub server: String,
    /// `name`, `*.suffix` or `*`, lower-case: the patterns of the server, which an SNI is matched against.
    pub domains: Vec<String>,
    /// The TLS policy of their server; none if any will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// What upstreams are told, by chain.
#[derive(Debug, Default)]
pub struct Policies {
    told: Vec<IdentityConfig>,
    chains: HashMap<Box<str>, usize>,
    /// For all other chains.
    others: Option<usize>,
}

impl Policies {
    /// Prepares them.
    #[must_use]
    pub fn new(all: Vec<IdentityPolicy>) -> Self {
        let mut policies = Self::default();
        for (at, told) in all.into_iter().enumerate() {
            policies.told.push(told.identity);
            policies
                .chains
                .extend(told.chains.into_iter().map(|chain| (chain.into(), at)));
        }
        policies
    }

    /// The same for all chains.
    #[must_use]
    pub fn of_all(config: IdentityConfig) -> Self {
        Self {
            told: vec![config],
            chains: HashMap::new(),
            others: Some(0),
        }
    }

    /// Whether upstreams are told nothing about any connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// What upstreams are told about the connections of a chain.
    #[must_use]
    pub fn told(&self, chain: &str) -> Option<&IdentityConfig> {
        let at = self.chains.get(chain).copied().or(self.others)?;
        self.told.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Connection, ConnectionOrigin};
    use crate::rules::TableConfig;
    use crate::table::RouteTable;

    fn demand(server: &str, domains: &[&str], policy: Option<&str>) -> ServerDemand {
        ServerDemand {
            server: server.to_owned(),
            domains: domains.iter().map(ToString::to_string).collect(),
            policy: policy.map(str::to_owned),
        }
    }

    fn connection<'a>(chain: &'a str, sni: &'a str, policy: &'a str) -> Connection<'a> {
        Connection {
            origin: ConnectionOrigin {
                chain,
                policy,
                ..ConnectionOrigin::default()
            },
            sni: Some(sni),
            ..Connection::default()
        }
    }

    #[test]
    fn a_host_asks_for_the_policy_of_the_server_that_its_name_would_choose() {
        let demands = vec![
            demand("0", &["*.example", "simple.com"], Some("simple")),
            demand("1", &["m.example", "*.m.example"], Some("mutual")),
            demand("2", &["open.m.example"], None),
        ];
        let config = TableConfig {
            port: 443,
            policies: PoliciesConfig {
                demands,
                ..PoliciesConfig::default()
            },
            ..TableConfig::default()
        };
        let table = RouteTable::from_configs(&[config]).unwrap();
        let yesterday = "a policy of yesterday";
        for (authority, chain, sni, policy, expected) in [
            ("a.example", "0", "elsewhere.com", "simple", true),
            ("a.example", "1", "elsewhere.com", "mutual", false),
            ("m.example", "0", "elsewhere.com", "simple", false),
            ("M.Example.:443", "0", "elsewhere.com", "simple", false),
            ("a.m.example", "0", "elsewhere.com", "simple", false),
            ("a.m.example", "1", "elsewhere.com", "mutual", true),
            ("open.m.example", "0", "elsewhere.com", "simple", true),
            ("a.open.m.example", "0", "elsewhere.com", "simple", false),
            ("elsewhere.com", "0", "elsewhere.com", "simple", true),
            // The same server, whose policy has changed: by its chain and by its name.
            ("m.example", "1", "elsewhere.com", yesterday, false),
            ("a.m.example", "1", "m.example", yesterday, true),
            ("m.example", "1", "M.Example", yesterday, true),
            ("m.example", "0", "m.example", yesterday, false),
            ("m.example", "0", "m.example", "simple", false),
            // No spelling of the name helps a connection on another chain.
            ("m.example", "0", "M.EXAMPLE", "simple", false),
            ("m.example", "0", "m.example.", "simple", false),
            ("m.example", "0", "m.example:443", "simple", false),
            ("m.example", "0", "a.example", "simple", false),
            ("m.example", "0", "", "simple", false),
        ] {
            assert_eq!(
                table.admits(443, authority.as_bytes(), Some(&connection(chain, sni, policy))),
                expected,
                "{authority} {chain} {sni} {policy}"
            );
        }
    }

    #[test]
    fn a_chain_tells_what_its_gateway_says() {
        let policies = Policies::new(vec![IdentityPolicy {
            chains: vec!["a/b/0".to_owned()],
            identity: IdentityConfig::default(),
        }]);
        assert!(policies.told("a/b/0").is_some() && policies.told("a/b/1").is_none());
        assert!(!policies.is_empty() && Policies::default().is_empty());
    }
}
