//! Priorities and weights of endpoints, from their locality and the gateway's: Istio's `localityLbSetting` and a
//! Service's `trafficDistribution`, for each endpoint.

use std::collections::BTreeMap;

use crate::locality::{LocalityRef, REGION_LABEL, SUB_ZONE_LABEL, ZONE_LABEL};
use crate::resolved::{
    Endpoint, EndpointGroup, LocalityShares, NearLabel, Nearness, NextRegion, Placement, UpstreamPolicy,
};

/// The node that something runs on.
pub(super) const NODE_LABEL: &str = "kubernetes.io/hostname";
/// The network that something is in.
pub(super) const NETWORK_LABEL: &str = "topology.istio.io/network";

/// Where something is, as far as is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whereabouts<'p> {
    pub(super) locality: LocalityRef<'p>,
    pub(super) node: Option<&'p str>,
    /// The labels that it has itself.
    pub(super) labels: Option<&'p BTreeMap<String, String>>,
}

impl Whereabouts<'_> {
    /// The value of a label; an empty one counts as missing.
    fn label(&self, key: &str) -> &str {
        let placed = match key {
            REGION_LABEL => self.locality.region,
            ZONE_LABEL => self.locality.zone,
            SUB_ZONE_LABEL => self.locality.sub_zone,
            NODE_LABEL => self.node.unwrap_or_default(),
            _ => "",
        };
        if !placed.is_empty() {
            return placed;
        }
        let own = self.labels.and_then(|labels| labels.get(key));
        own.map(String::as_str).unwrap_or_default()
    }

    fn says_nothing(&self) -> bool {
        self.locality.is_empty() && self.node.is_none() && self.labels.is_none_or(BTreeMap::is_empty)
    }
}

/// Whether the locality alone gives a label's value.
pub(super) fn is_of_topology(key: &str) -> bool {
    [
        REGION_LABEL,
        ZONE_LABEL,
        SUB_ZONE_LABEL,
        NODE_LABEL,
        NETWORK_LABEL,
    ]
    .contains(&key)
}

/// An endpoint, and where it is.
#[derive(Clone, Debug)]
pub(super) struct PlacedEndpoint<'e> {
    pub(super) endpoint: Endpoint,
    pub(super) position: Whereabouts<'e>,
}

/// What counts as near without a policy.
static SILENT: Nearness = Nearness {
    labels: Vec::new(),
    regions: Vec::new(),
};

/// What decides about priorities and weights.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order<'o> {
    Equal,
    Shares(&'o [LocalityShares]),
    Nearest(&'o Nearness),
}

impl<'o> Order<'o> {
    /// A policy takes precedence over a Service's preference. A policy's order needs outlier detection, which
    /// notices failing endpoints; a Service's preference does not.
    pub(super) fn new(policy: Option<&'o UpstreamPolicy>, wished: Option<&'o Nearness>) -> Self {
        let is_noticed = policy.is_some_and(|policy| policy.ejection.is_some());
        match (policy.and_then(|policy| policy.placement.as_ref()), wished) {
            (Some(Placement::Shares(shares)), _) => Self::Shares(shares),
            (Some(Placement::Nearest(near)), _) if is_noticed => Self::Nearest(near),
            (Some(Placement::Equal | Placement::Nearest(_)), _) => Self::Equal,
            (None, Some(wished)) => Self::Nearest(wished),
            (None, None) if is_noticed => Self::Nearest(&SILENT),
            (None, None) => Self::Equal,
        }
    }

    /// Whether no endpoint is preferred.
    pub(super) fn is_equal(self) -> bool {
        matches!(self, Self::Equal)
    }

    /// Whether the weights of localities count, as Istio decides it.
    pub(super) fn is_by_weight(self) -> bool {
        match self {
            Self::Equal => false,
            Self::Shares(_) => true,
            Self::Nearest(near) => !near.labels.is_empty() || !near.regions.is_empty(),
        }
    }

    /// Lower comes first.
    fn rank(self, own: Whereabouts<'_>, of: Whereabouts<'_>) -> (u32, u32) {
        let Self::Nearest(near) = self else {
            return (0, 0);
        };
        let labels = label_rank(&near.labels, own, of);
        let is_by_locality = near.labels.is_empty() || !near.regions.is_empty();
        match is_by_locality && !own.locality.is_empty() {
            true => (labels, locality_rank(&near.regions, own.locality, of.locality)),
            false => (labels, 0),
        }
    }
}

/// The first label that differs decides. Another network is the farthest.
fn label_rank(labels: &[NearLabel], own: Whereabouts<'_>, of: Whereabouts<'_>) -> u32 {
    if own.says_nothing() {
        return 0;
    }
    let mut beyond = 0;
    for (at, label) in labels.iter().enumerate() {
        let wanted = label.value.as_deref();
        if wanted.unwrap_or_else(|| own.label(&label.key)) == of.label(&label.key) {
            continue;
        }
        if at == 0 && label.key == NETWORK_LABEL && label.value.is_none() {
            beyond = labels.len();
            continue;
        }
        return small(beyond + labels.len() - at);
    }
    small(beyond)
}

fn small(rank: usize) -> u32 {
    u32::try_from(rank).unwrap_or(u32::MAX)
}

/// The distance; among other regions, the failover region is the nearest.
fn locality_rank(regions: &[NextRegion], own: LocalityRef<'_>, of: LocalityRef<'_>) -> u32 {
    let distance = own.distance(of);
    let next = regions.iter().find(|next| next.from == own.region);
    let is_next = next.is_none_or(|next| next.to == of.region);
    distance + u32::from(distance == 3 && !is_next)
}

/// Puts endpoints into groups by priority.
pub(super) fn arrange(
    endpoints: Vec<PlacedEndpoint<'_>>,
    own: Whereabouts<'_>,
    order: Order<'_>,
) -> Vec<EndpointGroup> {
    let mut by_rank = BTreeMap::<_, BTreeMap<LocalityRef<'_>, Vec<Endpoint>>>::new();
    for placed in endpoints {
        let groups = by_rank.entry(order.rank(own, placed.position)).or_default();
        let group = groups.entry(placed.position.locality).or_default();
        group.push(placed.endpoint);
    }
    // Envoy wants priorities without gaps.
    let ranked = (0..).zip(by_rank.into_values());
    let groups = ranked.flat_map(|(priority, groups)| {
        groups.into_iter().map(move |(locality, endpoints)| WeighedGroup {
            locality,
            priority,
            weight: endpoints.iter().map(|own| u64::from(own.weight.max(1))).sum(),
            endpoints,
        })
    });
    let mut groups: Vec<_> = groups.collect();
    if let Order::Shares(shares) = order {
        share(&mut groups, own.locality, shares);
    }
    finished(groups)
}

/// A group whose weight may still be any.
struct WeighedGroup<'g> {
    locality: LocalityRef<'g>,
    priority: u32,
    weight: u64,
    endpoints: Vec<Endpoint>,
}

/// The localities of a rule divide its share by their weights; localities without a rule get nothing.
fn share(groups: &mut Vec<WeighedGroup<'_>>, own: LocalityRef<'_>, shares: &[LocalityShares]) {
    let Some(shares) = shares.iter().find(|shares| own.is_meant(shares.from.borrow())) else {
        return;
    };
    let mut left = std::mem::take(groups);
    for (to, percent) in &shares.to {
        let (mut meant, others): (Vec<_>, _) = left
            .into_iter()
            .partition(|group| group.locality.is_meant(to.borrow()));
        let total: u64 = meant.iter().map(|group| group.weight).sum();
        for group in &mut meant {
            group.weight = (group.weight * u64::from(*percent)).div_ceil(total.max(1));
        }
        groups.extend(meant);
        left = others;
    }
    groups.sort_by_key(|group| group.locality);
}

/// Envoy adds up the weights of localities in 32 bits, and if it hashes, those of the endpoints of a priority too.
fn finished(mut groups: Vec<WeighedGroup<'_>>) -> Vec<EndpointGroup> {
    let divisor = self::divisor(groups.iter().map(|group| group.weight));
    let endpoints = groups.iter().flat_map(|group| &group.endpoints);
    let weights = self::divisor(endpoints.map(|own| u64::from(own.weight.max(1))));
    if weights > 1 {
        let endpoints = groups.iter_mut().flat_map(|group| &mut group.endpoints);
        endpoints.for_each(|own| own.weight = small_weight(own.weight.into(), weights));
    }
    let groups = groups.into_iter().map(|group| EndpointGroup {
        locality: group.locality.to_owned(),
        priority: group.priority,
        weight: small_weight(group.weight, divisor),
        endpoints: group.endpoints,
    });
    groups.collect()
}

/// The divisor that makes the sum of weights fit into 32 bits.
fn divisor(weights: impl Iterator<Item = u64>) -> u64 {
    let total: u64 = weights.sum();
    match u32::try_from(total) {
        Ok(_) => 1,
        Err(_) => total / u64::from(u32::MAX / 2) + 1,
    }
}

fn small_weight(weight: u64, divisor: u64) -> u32 {
    u32::try_from(weight / divisor).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests;
