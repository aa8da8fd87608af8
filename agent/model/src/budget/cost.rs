//! How much of each budget an object uses.

use std::collections::BTreeSet;
use std::io;

use sealgate_core::config::{Destination, GatewaySpec, HttpRoute, TlsRoute, VirtualServiceSpec};
use sealgate_core::identity::IdentityConfig;
use serde::Serialize;

use super::{BudgetItem, ITEMS};
use crate::{Meta, Object, annotation};

/// Each time that a rule has this many bytes, it counts as one more.
const BYTES_OF_A_RULE: usize = 1024;

/// A selector counts as this many endpoints: each WorkloadEntry of its namespace is compared with it.
const ENDPOINTS_OF_A_SELECTOR: usize = 25;

/// How much of each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost([u64; ITEMS.len()]);

impl Cost {
    /// The amount of one resource.
    #[must_use]
    pub fn of(&self, resource: BudgetItem) -> u64 {
        self.0.get(resource as usize).copied().unwrap_or_default()
    }

    /// Sets the amount of one resource.
    pub fn set(&mut self, resource: BudgetItem, amount: u64) {
        if let Some(own) = self.0.get_mut(resource as usize) {
            *own = amount;
        }
    }

    /// An amount of one resource, and nothing else.
    #[must_use]
    pub fn only(resource: BudgetItem, amount: u64) -> Self {
        let mut cost = Self::default();
        cost.set(resource, amount);
        cost
    }

    /// Whether this is more than another cost, for at least one resource.
    #[must_use]
    pub fn is_more_of_some(&self, other: Self) -> bool {
        self.0.iter().zip(other.0).any(|(own, other)| *own > other)
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.joined(other, u64::saturating_add)
    }

    pub(super) fn less(self, other: Self) -> Self {
        self.joined(other, u64::saturating_sub)
    }

    fn joined(mut self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own = join(*own, other);
        }
        self
    }
}

/// What an object uses by itself. What its rules use depends on the hosts that they apply to.
#[must_use]
pub fn cost(object: &Object) -> Cost {
    match object {
        Object::Gateway(meta, spec) => gateway(meta, spec),
        Object::VirtualService(_, spec) => virtual_service(spec),
        Object::ServiceEntry(_, spec) => {
            let selector = usize::from(spec.workload_selector.is_some()) * ENDPOINTS_OF_A_SELECTOR;
            endpoints(spec.endpoints.len().max(1) * spec.hosts.len().max(1) + selector)
        }
        Object::WorkloadEntry(..) => endpoints(1),
        Object::DestinationRule(_, spec) => {
            Cost::only(BudgetItem::DestinationRuleSubsets, count(spec.subsets.len()))
        }
        Object::EndpointSlice(_, slice) => endpoints(slice.endpoints.iter().flatten().count()),
        _ => Cost::default(),
    }
}

fn gateway(meta: &Meta, spec: &GatewaySpec) -> Cost {
    let ports: BTreeSet<u32> = spec.servers.iter().map(|server| server.port.number).collect();
    let hosts = spec.servers.iter().map(|server| server.hosts.len()).sum();
    let identity = annotation::identity(meta).and_then(Result::ok);
    let prefix = identity.as_ref().and_then(IdentityConfig::own_prefix);
    let mut cost = Cost::default();
    cost.set(BudgetItem::Ports, count(ports.len()));
    cost.set(BudgetItem::Hosts, count(hosts));
    cost.set(BudgetItem::Prefixes, u64::from(prefix.is_some()));
    cost
}

fn virtual_service(spec: &VirtualServiceSpec) -> Cost {
    let mut destinations = BTreeSet::new();
    let mut mirrors = BTreeSet::new();
    for rule in &spec.http {
        let own = rule.route.iter().map(|share| &share.destination);
        let several = rule
            .mirrors
            .iter()
            .filter_map(|mirror| mirror.destination.as_deref());
        let mirrored: Vec<_> = rule.mirror.as_deref().into_iter().chain(several).collect();
        if !mirrored.is_empty() {
            let percentages = rule
                .mirrors
                .iter()
                .map(|mirror| format!("{:?}", mirror.percentage));
            let percentages: String = percentages.collect();
            let whole = format!("{:?} {percentages}", rule.mirror_percentage);
            mirrors.insert((mirrored.iter().copied().map(key).collect::<Vec<_>>(), whole));
        }
        destinations.extend(own.chain(mirrored).map(key));
    }
    let streams = spec.tls.iter().flat_map(|rule| &rule.route);
    let streams = streams.chain(spec.tcp.iter().flat_map(|rule| &rule.route));
    destinations.extend(streams.map(|share| key(&share.destination)));
    let mut cost = Cost::default();
    cost.set(BudgetItem::Hosts, count(chains(spec)));
    cost.set(BudgetItem::Destinations, count(destinations.len()));
    cost.set(BudgetItem::Mirrors, count(mirrors.len()));
    cost
}

/// How many hosts' connections it routes as a whole: each has a filter chain.
fn chains(spec: &VirtualServiceSpec) -> usize {
    let blocks = spec.tls.iter().flat_map(|rule| &rule.r#match);
    let names: BTreeSet<&String> = blocks.flat_map(|block| &block.sni_hosts).collect();
    let hosts = if spec.tcp.is_empty() { 0 } else { spec.hosts.len() };
    names.len() + hosts
}

fn key(to: &Destination) -> (&str, Option<u32>, Option<&str>) {
    let port = to.port.as_ref().map(|port| port.number);
    (&to.host, port, to.subset.as_deref())
}

fn endpoints(number: usize) -> Cost {
    Cost::only(BudgetItem::Endpoints, count(number))
}

/// How many rules a rule counts as, by its size: a body or a list of headers may be larger than a thousand rules.
#[must_use]
pub fn weight(rule: &HttpRoute) -> u64 {
    count(1 + size(rule) / BYTES_OF_A_RULE)
}

/// Comparing a host with this many server names takes as long as one rule.
const NAMES_OF_A_RULE: usize = 64;

/// What the rules for connections weigh on each host: each of their server names is compared with it.
#[must_use]
pub fn weight_of_streams(spec: &VirtualServiceSpec) -> u64 {
    let blocks = |rule: &TlsRoute| {
        rule.r#match
            .iter()
            .map(|block| block.sni_hosts.len())
            .sum::<usize>()
    };
    let tls = spec.tls.iter().map(|rule| 1 + blocks(rule) / NAMES_OF_A_RULE);
    count(spec.tcp.len() + tls.sum::<usize>())
}

fn size(value: &impl Serialize) -> usize {
    let mut length = Length(0);
    // What was read from JSON can be written; only its length is kept.
    let _ = serde_json::to_writer(&mut length, value);
    length.0
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_for_connections_weigh_what_their_names_take() {
        let names = |count: usize| vec!["a.test"; count];
        for (spec, weight) in [
            (json!({}), 0),
            (json!({"tcp": [{}, {}]}), 2),
            (json!({"tls": [{"match": [{"sniHosts": names(1)}]}]}), 1),
            (
                json!({"tls": [{"match": [{"sniHosts": names(640)}, {"sniHosts": names(640)}]}, {}]}),
                22,
            ),
        ] {
            let spec: VirtualServiceSpec = serde_json::from_value(spec).unwrap();
            assert_eq!(weight_of_streams(&spec), weight);
        }
    }
}
