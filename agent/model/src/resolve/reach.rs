//! Rules that no request reaches, because earlier ones take all their requests. Each host reports which rules it
//! reaches; a rule is dead if no host reaches it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use sealgate_core::rules::{MatchConfig, RuleConfig, RuleOrigin, VirtualHostConfig};

use super::rank::Rank;
use crate::Code;
use crate::few::Few;
use crate::lint::cover::Cover;
use crate::{Finding, Severity};
use crate::{Kind, ObjectRef};

/// `namespace/name` of a VirtualService.
pub(super) type ServiceName = Arc<str>;

/// A block, or a rule without any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockPlace {
    service: ServiceName,
    /// The VirtualService of the host; for a delegate's rule, the one that delegated to it.
    owner: ServiceName,
    rule: usize,
    block: Option<usize>,
}

impl fmt::Display for BlockPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http[{}]", self.rule)?;
        self.block.map_or(Ok(()), |block| write!(f, ".match[{block}]"))
    }
}

/// What keeps requests from a rule.
#[derive(Clone, Debug, PartialEq)]
enum Obstacle {
    /// An earlier block of its own VirtualService.
    Block(BlockPlace),
    /// `httpsRedirect` of the host's server.
    Redirect,
    /// The host belongs to a server that the VirtualService is not bound to.
    Server,
}

/// A rule that is left out of a host's list, because one before it takes every request.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) rule: RuleOrigin,
    /// The rule that does, and which of its blocks.
    pub(super) by: RuleOrigin,
    pub(super) block: Option<usize>,
}

/// What one host reports about its rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reach {
    /// Rules that it reaches.
    alive: Few<(ServiceName, usize)>,
    /// Rules that it does not reach, and why.
    dead: BTreeMap<(ServiceName, usize), Obstacle>,
    /// Blocks that another VirtualService's block takes.
    claimed: BTreeMap<BlockPlace, BlockPlace>,
    /// VirtualServices whose rules it never reaches, and the one that takes their requests.
    shadowed: Few<(ServiceName, ServiceName)>,
}

/// A block and what covers it.
type Covered = (BlockPlace, Option<BlockPlace>);

/// Names of VirtualServices, each held once.
#[derive(Default)]
struct ServiceNames(HashSet<ServiceName>);

impl ServiceNames {
    fn get(&mut self, name: &str) -> ServiceName {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: ServiceName = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

fn key(origin: &RuleOrigin) -> (ServiceName, usize) {
    (origin.virtual_service.as_str().into(), origin.rule)
}

fn owner(origin: &RuleOrigin) -> &str {
    let root = origin.root.as_ref();
    root.map_or(&origin.virtual_service, |root| &root.virtual_service)
}

/// The blocks of each rule.
fn covers(host: &VirtualHostConfig) -> Vec<(ServiceName, usize, Vec<Covered>)> {
    let everything = MatchConfig::default();
    let mut names = ServiceNames::default();
    let mut places: Vec<BlockPlace> = Vec::new();
    let mut cover = Cover::default();
    let mut rules = Vec::with_capacity(host.rules.len());
    for rule in &host.rules {
        let mut add = |rule: &RuleConfig, block, index| {
            let place = BlockPlace {
                service: names.get(&rule.origin.virtual_service),
                owner: names.get(owner(&rule.origin)),
                rule: rule.origin.rule,
                block: index,
            };
            places.push(place.clone());
            let by = cover.add(block, places.len() - 1);
            (place, by.and_then(|at| places.get(at).cloned()))
        };
        let blocks = if rule.matches.is_empty() {
            vec![add(rule, &everything, None)]
        } else {
            let blocks = rule.matches.iter();
            blocks.map(|block| add(rule, block, Some(block.index))).collect()
        };
        rules.push((names.get(&rule.origin.virtual_service), rule.origin.rule, blocks));
    }
    rules
}

fn is_alive(blocks: &[Covered]) -> bool {
    blocks.iter().any(|(_, by)| by.is_none())
}

impl Reach {
    /// The report of this host. If everything is redirected to HTTPS, no rule is reached; that is intended if another
    /// port reaches the rules.
    pub(super) fn new(host: &VirtualHostConfig, cut: &[Cut], hidden: &[(&Rank, usize)]) -> Self {
        let mut reach = Self::default();
        for (rank, rules) in hidden {
            let service: ServiceName = format!("{}/{}", rank.namespace, rank.name).into();
            for rule in 0..*rules {
                reach.dead.insert((Arc::clone(&service), rule), Obstacle::Server);
            }
        }
        if host.https_redirect {
            let origins = host.rules.iter().map(|rule| &rule.origin);
            for origin in origins.chain(cut.iter().map(|cut| &cut.rule)) {
                reach.dead.insert(key(origin), Obstacle::Redirect);
            }
            return reach;
        }
        let rules = covers(host);
        let alive = rules.iter().filter(|(_, _, blocks)| is_alive(blocks));
        let alive: BTreeSet<ServiceName> = alive
            .filter_map(|(_, _, blocks)| Some(Arc::clone(&blocks.first()?.0.owner)))
            .collect();
        for (service, rule, blocks) in &rules {
            reach.add((Arc::clone(service), *rule), blocks, &alive);
        }
        for Cut { rule, by, block } in cut {
            let by = BlockPlace {
                service: by.virtual_service.as_str().into(),
                owner: owner(by).into(),
                rule: by.rule,
                block: *block,
            };
            reach.dead.entry(key(rule)).or_insert(Obstacle::Block(by));
        }
        reach
    }

    fn add(&mut self, key: (ServiceName, usize), blocks: &[Covered], alive: &BTreeSet<ServiceName>) {
        let covered = || {
            blocks
                .iter()
                .filter_map(|(place, by)| Some((place, by.as_ref()?)))
        };
        let foreign: Vec<_> = covered().filter(|(place, by)| by.owner != place.owner).collect();
        match (covered().next(), foreign.first()) {
            (Some((_, by)), None) if !is_alive(blocks) => {
                self.dead
                    .entry(key)
                    .or_insert_with(|| Obstacle::Block(by.clone()));
            }
            _ => {
                self.alive.insert(key);
            }
        }
        match foreign.first() {
            Some((place, by)) if !alive.contains(&place.owner) => {
                let pair = (Arc::clone(&place.owner), Arc::clone(&by.owner));
                self.shadowed.insert(pair);
            }
            _ => foreign.iter().for_each(|(place, by)| {
                self.claimed
                    .entry((*place).clone())
                    .or_insert_with(|| (*by).clone());
            }),
        }
    }

    /// The VirtualServices that it reports about.
    pub(super) fn services(&self) -> BTreeSet<ServiceName> {
        let rules = self
            .alive
            .iter()
            .chain(self.dead.keys())
            .map(|(service, _)| service);
        let others = self.claimed.keys().map(|place| &place.service);
        let shadowed = self.shadowed.iter().map(|(service, _)| service);
        rules.chain(others).chain(shadowed).cloned().collect()
    }
}

/// The findings about one VirtualService from the reports of all hosts; each host with its name, in order.
pub(super) fn findings<'r>(service: &str, hosts: impl Iterator<Item = (&'r str, &'r Reach)>) -> Vec<Finding> {
    let mut alive = BTreeSet::new();
    let mut dead = BTreeMap::new();
    let mut claimed = BTreeMap::new();
    let mut shadowed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (host, reach) in hosts {
        let own = |(name, _): &&(ServiceName, usize)| **name == *service;
        alive.extend(reach.alive.iter().filter(own).map(|(_, rule)| *rule));
        for ((name, rule), by) in &reach.dead {
            if **name == *service {
                dead.entry(*rule).or_insert((by, host));
            }
        }
        for (place, by) in reach
            .claimed
            .iter()
            .filter(|(place, _)| *place.service == *service)
        {
            claimed.entry(place).or_insert((by, host));
        }
        for (_, by) in reach.shadowed.iter().filter(|(name, _)| **name == *service) {
            shadowed.entry(by).or_default().insert(host);
        }
    }
    let dead = dead.into_iter().filter(|(rule, _)| !alive.contains(rule));
    let dead = dead.map(|(rule, by)| dead_rule(service, rule, by));
    let claimed = claimed.into_iter().map(|(place, by)| claimed_path(place, by));
    let shadowed = shadowed
        .into_iter()
        .map(|(by, hosts)| shadowed_host(service, by, &hosts));
    dead.chain(claimed).chain(shadowed).collect()
}

fn dead_rule(service: &str, rule: usize, (by, host): (&Obstacle, &str)) -> Finding {
    let message = match by {
        Obstacle::Block(by) if *by.service == *service => {
            format!("never reached: {by} takes every request that it matches")
        }
        Obstacle::Block(by) => format!(
            "never reached: {by} of VirtualService {} takes every request that it matches",
            by.service
        ),
        Obstacle::Server => format!(
            "never reached at this gateway: a server of another Gateway, to which this VirtualService is not bound, takes {host} \
             from the wider server"
        ),
        Obstacle::Redirect => {
            format!(
                "never reached at this gateway: httpsRedirect of a server answers every request for {host}"
            )
        }
    };
    finding(service, Code::DeadRule, format!("spec.http[{rule}]"), message)
}

fn claimed_path(place: &BlockPlace, (by, host): (&BlockPlace, &str)) -> Finding {
    let message = format!(
        "two VirtualServices claim these paths of {host}: {by} of {} comes first and gets the requests",
        by.service
    );
    finding(
        &place.service,
        Code::ClaimedPath,
        format!("spec.{place}"),
        message,
    )
}

fn shadowed_host(service: &str, by: &str, hosts: &BTreeSet<&str>) -> Finding {
    let hosts = hosts.iter().copied().collect::<Vec<_>>().join(", ");
    let message = format!("{hosts}: VirtualService {by} comes first and gets every request");
    finding(service, Code::ShadowedHost, "spec.hosts".to_owned(), message)
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
