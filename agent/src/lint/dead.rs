//! Rules that no request reaches, because earlier ones take all of theirs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

use sealgate_core::table::{MatchConfig, Origin, RuleConfig, VirtualHostConfig};
use sealgate_model::{Code, Finding, Kind, ObjectRef, Severity};

use crate::translate::Bound;
use sealgate_model::lint::cover::Cover;

/// A block, or a rule without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place<'t> {
    service: &'t str,
    /// The VirtualService of the host: of a delegate's rule the one that delegated to it.
    owner: &'t str,
    rule: usize,
    block: Option<usize>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http[{}]", self.rule)?;
        self.block.map_or(Ok(()), |block| write!(f, ".match[{block}]"))
    }
}

/// What all virtual hosts together say.
#[derive(Default)]
struct Seen<'t> {
    /// Rules that some virtual host reaches.
    alive: HashSet<(&'t str, usize)>,
    /// Rules that a virtual host does not reach, and the earlier block of their own VirtualService in the way.
    dead: BTreeMap<(&'t str, usize), Place<'t>>,
    /// Blocks that another VirtualService's block takes, and for which host.
    claimed: BTreeMap<Place<'t>, (Place<'t>, &'t str)>,
    /// VirtualServices of which nothing is left for a host: by them and the one in the way, the hosts.
    shadowed: BTreeMap<(&'t str, &'t str), BTreeSet<&'t str>>,
}

pub(super) fn check(bound: &Bound) -> Vec<Finding> {
    let everything = MatchConfig::default();
    let mut seen = Seen::default();
    let hosts = bound.ports.iter().flat_map(|port| &port.table.virtual_hosts);
    // Where everything is redirected to HTTPS, nothing is reached, on purpose.
    hosts
        .filter(|host| !host.https_redirect)
        .for_each(|host| seen.add(host, &everything));
    seen.findings()
}

fn owner(origin: &Origin) -> &str {
    let root = origin.root.as_ref();
    root.map_or(&origin.virtual_service, |root| &root.virtual_service)
}

fn is_alive(blocks: &[Covered<'_>]) -> bool {
    blocks.iter().any(|(_, by)| by.is_none())
}

/// A block and what covers it.
type Covered<'t> = (Place<'t>, Option<Place<'t>>);

/// The blocks of each rule.
fn covers<'t>(
    host: &'t VirtualHostConfig,
    everything: &'t MatchConfig,
) -> Vec<(&'t Origin, Vec<Covered<'t>>)> {
    let mut cover = Cover::default();
    let mut add = |rule: &'t RuleConfig, block: &'t MatchConfig, index| {
        let place = Place {
            service: &rule.origin.virtual_service,
            owner: owner(&rule.origin),
            rule: rule.origin.rule,
            block: index,
        };
        (place, cover.add(block, place))
    };
    let mut rules = Vec::with_capacity(host.rules.len());
    for rule in &host.rules {
        let blocks = if rule.matches.is_empty() {
            vec![add(rule, everything, None)]
        } else {
            let blocks = rule.matches.iter();
            blocks.map(|block| add(rule, block, Some(block.index))).collect()
        };
        rules.push((&rule.origin, blocks));
    }
    rules
}

impl<'t> Seen<'t> {
    fn add(&mut self, host: &'t VirtualHostConfig, everything: &'t MatchConfig) {
        let Some(domain) = host.domains.first() else {
            return;
        };
        let rules = covers(host, everything);
        let alive = rules.iter().filter(|(_, blocks)| is_alive(blocks));
        let alive: HashSet<&str> = alive.map(|(origin, _)| owner(origin)).collect();
        for (origin, blocks) in &rules {
            let covered = || blocks.iter().filter_map(|(place, by)| Some((*place, (*by)?)));
            let foreign: Vec<_> = covered().filter(|(place, by)| by.owner != place.owner).collect();
            let key = (origin.virtual_service.as_str(), origin.rule);
            match (covered().next(), foreign.first()) {
                (Some((_, by)), None) if !is_alive(blocks) => drop(self.dead.entry(key).or_insert(by)),
                _ => drop(self.alive.insert(key)),
            }
            match foreign.first() {
                Some((place, by)) if !alive.contains(place.owner) => {
                    let hosts = self.shadowed.entry((place.owner, by.owner)).or_default();
                    hosts.extend(host.domains.iter().map(String::as_str));
                }
                _ => foreign.iter().for_each(|(place, by)| {
                    self.claimed.entry(*place).or_insert((*by, domain));
                }),
            }
        }
    }

    fn findings(self) -> Vec<Finding> {
        let dead = self.dead.iter().filter(|(key, _)| !self.alive.contains(*key));
        let dead = dead.map(|((service, rule), by)| {
            let place = if by.service == *service {
                by.to_string()
            } else {
                format!("{by} of VirtualService {}", by.service)
            };
            let message = format!("never reached: {place} takes every request that it matches");
            finding(service, Code::DeadRule, format!("spec.http[{rule}]"), message)
        });
        let claimed = self.claimed.iter().map(|(place, (by, host))| {
            let message = format!(
                "two VirtualServices claim these paths of {host}: {by} of {} comes first and takes them",
                by.service
            );
            finding(place.service, Code::ClaimedPath, format!("spec.{place}"), message)
        });
        let shadowed = self.shadowed.iter().map(|((service, by), hosts)| {
            let hosts = hosts.iter().copied().collect::<Vec<_>>().join(", ");
            let message = format!("{hosts}: VirtualService {by} comes first and takes every request");
            finding(service, Code::ShadowedHost, "spec.hosts".to_owned(), message)
        });
        dead.chain(claimed).chain(shadowed).collect()
    }
}

fn finding(service: &str, code: Code, field: String, message: String) -> Finding {
    let (namespace, name) = service.split_once('/').unwrap_or(("", service));
    Finding {
        severity: Severity::Warning,
        code,
        object: ObjectRef::new(Kind::VirtualService, namespace, name),
        field: Some(field),
        message,
    }
}
