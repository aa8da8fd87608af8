//! The operator's policy for single hosts, ports and Secrets (`--tenancy-policy`). For those that it does not name, the
//! general rules apply.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use thiserror::Error;

use crate::manifest::is_name;
use crate::patterns::PatternMap;
use crate::validate::is_host;

/// Every namespace.
const ANY: &str = "*";

/// A policy that cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Not YAML, or not of this structure.
    #[error("{0}")]
    Shape(String),
    /// Not a host, port, Secret or namespace.
    #[error("{field}: {value:?} is not a {kind}")]
    Value {
        /// Its place.
        field: String,
        /// What it should be.
        kind: &'static str,
        /// What it is.
        value: String,
    },
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenancyPolicy {
    /// As it was written.
    text: String,
    hosts: PatternMap<Option<Grant>>,
    ports: BTreeMap<u16, Grant>,
    secrets: BTreeMap<String, Grant>,
    /// Secrets by the prefix of their names.
    secret_prefixes: BTreeMap<String, Grant>,
}

/// The namespaces that may have something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Grant(BTreeSet<String>);

impl Grant {
    fn names(&self, namespace: &str) -> bool {
        self.0.contains(namespace)
    }

    fn allows(&self, namespace: &str) -> bool {
        self.names(namespace) || self.0.contains(ANY)
    }
}

/// What a policy says about a namespace and a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostWord {
    /// Nothing.
    Silent,
    /// It may have it, like everyone else.
    Open,
    /// It may have it, whoever has a wider host.
    Granted,
    /// It may not have it.
    Denied,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    #[serde(default)]
    hosts: Vec<HostsEntry>,
    #[serde(default)]
    ports: Vec<PortsEntry>,
    #[serde(default)]
    secrets: Vec<SecretsEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostsEntry {
    names: Vec<String>,
    namespaces: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortsEntry {
    numbers: Vec<u16>,
    namespaces: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretsEntry {
    names: Vec<String>,
    namespaces: Vec<String>,
}

impl TenancyPolicy {
    /// Reads YAML.
    ///
    /// # Errors
    /// It does not have the structure that `docs/reference/tenancy.md` shows, or a value is invalid.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        let written: PolicyFile =
            serde_saphyr::from_str(text).map_err(|error| PolicyError::Shape(error.to_string()))?;
        let mut policy = Self {
            text: text.to_owned(),
            ..Self::default()
        };
        for (at, entry) in written.hosts.iter().enumerate() {
            let granted = grant(&entry.namespaces, &format!("hosts[{at}]"))?;
            for name in &entry.names {
                let name = name.to_ascii_lowercase();
                let field = || format!("hosts[{at}].names");
                check(is_host(&name), field, "host", &name)?;
                policy
                    .hosts
                    .entry(&name)
                    .get_or_insert_default()
                    .0
                    .extend(granted.0.clone());
            }
        }
        for (at, entry) in written.ports.iter().enumerate() {
            let granted = grant(&entry.namespaces, &format!("ports[{at}]"))?;
            for number in &entry.numbers {
                policy
                    .ports
                    .entry(*number)
                    .or_default()
                    .0
                    .extend(granted.0.clone());
            }
        }
        for (at, entry) in written.secrets.iter().enumerate() {
            let granted = grant(&entry.namespaces, &format!("secrets[{at}]"))?;
            for name in &entry.names {
                policy.grant_secret(name, &granted, at)?;
            }
        }
        Ok(policy)
    }

    /// As it was written; empty if there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn grant_secret(&mut self, name: &str, granted: &Grant, at: usize) -> Result<(), PolicyError> {
        let (map, key) = match name.strip_suffix('*') {
            Some(prefix) => (&mut self.secret_prefixes, prefix),
            None => (&mut self.secrets, name),
        };
        // A valid prefix of a name becomes a valid name once a letter is appended.
        let is_good =
            is_name(key) || (name.ends_with('*') && (key.is_empty() || is_name(&format!("{key}a"))));
        check(is_good, || format!("secrets[{at}].names"), "Secret's name", name)?;
        map.entry(key.to_owned()).or_default().0.extend(granted.0.clone());
        Ok(())
    }

    /// What it says about a host, by the narrowest entry that contains all of it.
    #[must_use]
    pub fn host(&self, namespace: &str, pattern: &str) -> HostWord {
        let exact = self.hosts.get(pattern).into_iter();
        let entry = exact.chain(self.hosts.containing(pattern)).flatten().next();
        match entry {
            None => HostWord::Silent,
            Some(grant) if grant.names(namespace) => HostWord::Granted,
            Some(grant) if grant.allows(namespace) => HostWord::Open,
            Some(_) => HostWord::Denied,
        }
    }

    /// Whether a namespace may have servers on a port.
    #[must_use]
    pub fn allows_port(&self, namespace: &str, port: u16) -> bool {
        self.ports.get(&port).is_none_or(|grant| grant.allows(namespace))
    }

    /// Whether it lets a namespace name a Secret in the gateway's namespace.
    #[must_use]
    pub fn grants_secret(&self, namespace: &str, name: &str) -> bool {
        let exact = self
            .secrets
            .get(name)
            .is_some_and(|grant| grant.allows(namespace));
        let mut prefixes = self.secret_prefixes.iter();
        exact || prefixes.any(|(prefix, grant)| name.starts_with(prefix) && grant.allows(namespace))
    }
}

fn check(
    is_good: bool,
    field: impl Fn() -> String,
    kind: &'static str,
    value: &str,
) -> Result<(), PolicyError> {
    let refused = || PolicyError::Value {
        field: field(),
        kind,
        value: value.to_owned(),
    };
    is_good.then_some(()).ok_or_else(refused)
}

fn grant(namespaces: &[String], field: &str) -> Result<Grant, PolicyError> {
    for namespace in namespaces {
        let is_good = namespace == ANY || is_name(namespace);
        check(is_good, || format!("{field}.namespaces"), "namespace", namespace)?;
    }
    Ok(Grant(namespaces.iter().cloned().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
hosts:
- names: ['*.shop.example', shop.example]
  namespaces: [shop]
- names: ['*.open.shop.example']
  namespaces: ['*']
ports:
- numbers: [22, 8443]
  namespaces: [platform]
secrets:
- names: [edge, 'shop-*']
  namespaces: [shop, canary]
- names: [public]
  namespaces: ['*']
";

    #[test]
    fn the_narrowest_entry_decides_and_what_is_not_named_is_open() {
        let policy = TenancyPolicy::read(TEXT).unwrap();
        for (namespace, host, word) in [
            ("shop", "shop.example", HostWord::Granted),
            ("shop", "a.b.shop.example", HostWord::Granted),
            ("shop", "*.shop.example", HostWord::Granted),
            ("team", "pay.shop.example", HostWord::Denied),
            ("team", "*.pay.shop.example", HostWord::Denied),
            ("team", "a.open.shop.example", HostWord::Open),
            ("team", "*.example", HostWord::Silent),
            ("team", "*", HostWord::Silent),
        ] {
            assert_eq!(policy.host(namespace, host), word, "{namespace} {host}");
        }
        assert!(policy.allows_port("platform", 22) && policy.allows_port("shop", 443));
        assert!(!policy.allows_port("shop", 8443));
        for (namespace, secret, granted) in [
            ("shop", "edge", true),
            ("canary", "shop-eu", true),
            ("team", "edge", false),
            ("team", "public", true),
            ("shop", "edge-2", false),
        ] {
            assert_eq!(
                policy.grants_secret(namespace, secret),
                granted,
                "{namespace} {secret}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, reason) in [
            ("host: []", "host"),
            (
                "hosts: [{names: [a..b], namespaces: [x]}]",
                "hosts[0].names: \"a..b\" is not a host",
            ),
            (
                "hosts: [{names: [a.b], namespaces: [X]}]",
                "hosts[0].namespaces: \"X\" is not a namespace",
            ),
            ("ports: [{numbers: [70000], namespaces: [x]}]", "70000"),
            (
                "secrets: [{names: ['a*b'], namespaces: [x]}]",
                "secrets[0].names: \"a*b\" is not a Secret's name",
            ),
            ("secrets: [{names: ['A*'], namespaces: [x]}]", "secrets[0].names"),
            ("secrets: [{names: [a]}]", "namespaces"),
        ] {
            let error = TenancyPolicy::read(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(TenancyPolicy::read("secrets: [{names: ['*'], namespaces: ['*']}]").is_ok());
    }
}
