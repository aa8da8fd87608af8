//! A table that runs: hosts by name, and each one's rules with the index over their paths.

use thiserror::Error;

use super::index::{PathIndex, Position};
use super::rule::{Match, Rule};
use super::{TableConfig, VirtualHostConfig};
use crate::domains::Domains;

/// A table that cannot run, and where it is wrong.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{place}: {reason}")]
pub struct TableError {
    /// `virtual_hosts[0].rules[1].matches[0].uri`.
    pub place: String,
    /// For people.
    pub reason: String,
}

impl TableError {
    /// The same, seen from where `place` lies.
    pub(super) fn within(self, place: &str) -> Self {
        Self {
            place: format!("{place}.{}", self.place),
            ..self
        }
    }
}

/// The routes of one port, compiled.
#[derive(Debug, Default)]
pub struct RouteTable {
    pub(crate) port: u16,
    domains: Domains,
    hosts: Vec<VirtualHost>,
}

#[derive(Debug)]
pub(crate) struct VirtualHost {
    pub(crate) https_redirect: bool,
    pub(crate) rules: Vec<Rule>,
    /// Every block, in declared order: rule and block; a rule without blocks counts as one of its own.
    blocks: Vec<(u32, u32)>,
    index: PathIndex,
}

impl RouteTable {
    /// Compiles a table.
    ///
    /// # Errors
    /// The first pattern that is not valid, or the first domain that is there twice.
    pub fn compile(config: &TableConfig) -> Result<Self, TableError> {
        Self::new(config.clone())
    }

    /// Compiles a table that is not needed any more: nothing of it is copied.
    ///
    /// # Errors
    /// As those of [`Self::compile`].
    pub fn new(config: TableConfig) -> Result<Self, TableError> {
        let mut table = Self {
            port: config.port,
            ..Self::default()
        };
        for (at, virtual_host) in config.virtual_hosts.into_iter().enumerate() {
            let place = format!("virtual_hosts[{at}]");
            for domain in &virtual_host.domains {
                if !table.domains.insert(domain, at) {
                    return Err(TableError {
                        place: format!("{place}.domains"),
                        reason: format!("{domain} is there twice"),
                    });
                }
            }
            let host = VirtualHost::new(virtual_host).map_err(|error| error.within(&place))?;
            table.hosts.push(host);
        }
        Ok(table)
    }

    pub(crate) fn host(&self, authority: &[u8]) -> Option<&VirtualHost> {
        self.hosts.get(self.domains.find(authority)?)
    }
}

impl VirtualHost {
    fn new(config: VirtualHostConfig) -> Result<Self, TableError> {
        let mut rules = Vec::with_capacity(config.rules.len());
        for (at, rule) in config.rules.into_iter().enumerate() {
            rules.push(Rule::compile(rule).map_err(|error| error.within(&format!("rules[{at}]")))?);
        }
        let blocks: Vec<(u32, u32)> = (0_u32..)
            .zip(&rules)
            .flat_map(|(rule, own)| (0..own.matches.len().max(1) as u32).map(move |block| (rule, block)))
            .collect();
        let conditions = rules.iter().flat_map(|rule: &Rule| {
            let whole = rule.matches.is_empty().then_some(None);
            whole.into_iter().chain(rule.matches.iter().map(Some))
        });
        let index = PathIndex::new(conditions);
        Ok(Self {
            https_redirect: config.https_redirect,
            index,
            blocks,
            rules,
        })
    }

    /// The blocks that may match `path` (with its query), in declared order.
    pub(crate) fn candidates<'t, 'p>(
        &'t self,
        path: &'p [u8],
    ) -> impl Iterator<Item = (&'t Rule, Option<&'t Match>)> + use<'t, 'p> {
        self.index.candidates(path).filter_map(|at| self.block(at))
    }

    fn block(&self, at: Position) -> Option<(&Rule, Option<&Match>)> {
        let (rule, block) = *self.blocks.get(at as usize)?;
        let rule = self.rules.get(rule as usize)?;
        Some((rule, rule.matches.get(block as usize)))
    }
}
