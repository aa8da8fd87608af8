//! `loadBalancer.localityLbSetting`: what Istio's validation refuses of it is refused, and nothing else.

use sealgate_core::config::{LoadBalancer, LocalityBalancing, LocalityDistribution, LocalityFailover};

use super::{MergedPolicy, PolicyProblems};
use crate::locality::{LocalityRef, REGION_LABEL, SUB_ZONE_LABEL, ZONE_LABEL};
use crate::resolved::{LocalityShares, NearLabel, Nearness, NextRegion, Placement};

/// Localities of gateways in `distribute`, and regions in `failover`: each cluster looks at all of them.
const ENTRIES: usize = 100;
/// Labels in `failoverPriority`: with regions too, each makes ten priorities, and Envoy has 128.
const LABELS: usize = 12;

/// Whether what a policy says of localities has an effect only if it is noticed that endpoints fail.
pub(crate) fn needs_ejection(policy: &MergedPolicy<'_>) -> bool {
    let own = setting(policy.load_balancer);
    own.is_some_and(|own| own.distribute.is_empty() && says_what_is_near(own))
}

/// Whether it asks for what Pods alone tell of the endpoints of a Service: their regions or labels.
pub(crate) fn needs_pods(policy: &MergedPolicy<'_>) -> bool {
    let own = setting(policy.load_balancer);
    own.is_some_and(|own| !own.distribute.is_empty() || says_what_is_near(own))
}

fn says_what_is_near(own: &LocalityBalancing) -> bool {
    !own.failover.is_empty() || !own.failover_priority.is_empty()
}

fn setting(own: Option<&LoadBalancer>) -> Option<&LocalityBalancing> {
    let own = own?.locality_lb_setting.as_ref();
    own.filter(|own| own.enabled != Some(false))
}

pub(super) fn lower(own: &LocalityBalancing, problems: &mut PolicyProblems) -> Placement {
    if refused(own, problems) {
        return Placement::Equal;
    }
    if own.enabled == Some(false) {
        return Placement::Equal;
    }
    if !own.distribute.is_empty() {
        let shares = own.distribute.iter().map(shares);
        return Placement::Shares(shares.collect());
    }
    let labels = own.failover_priority.iter().map(|label| near_label(label));
    let regions = own.failover.iter().map(|own| NextRegion {
        from: own.from.clone(),
        to: own.to.clone(),
    });
    Placement::Nearest(Nearness {
        labels: labels.collect(),
        regions: regions.collect(),
    })
}

/// As Istio, `key=value`; with a second `=` it is a key without a value of its own.
fn near_label(label: &str) -> NearLabel {
    let mut parts = label.split('=');
    let key = parts.next().unwrap_or_default();
    let value = parts.next().filter(|_| parts.next().is_none());
    NearLabel {
        key: key.to_owned(),
        value: value.map(str::to_owned),
    }
}

fn shares(own: &LocalityDistribution) -> LocalityShares {
    let to = own.to.iter();
    LocalityShares {
        from: LocalityRef::parse(&own.from).to_owned(),
        to: to
            .map(|(to, weight)| (LocalityRef::parse(to).to_owned(), *weight))
            .collect(),
    }
}

/// Whether something is wrong with it; says what.
fn refused(own: &LocalityBalancing, problems: &mut PolicyProblems) -> bool {
    let mut refusals = SettingProblems {
        problems,
        some: false,
    };
    for (field, found, limit) in [
        ("distribute", own.distribute.len(), ENTRIES),
        ("failover", own.failover.len(), ENTRIES),
        ("failoverPriority", own.failover_priority.len(), LABELS),
    ] {
        if found > limit {
            refusals.add(field, format!("{found} entries; the limit is {limit}"));
        }
    }
    if refusals.some {
        return true;
    }
    if !own.distribute.is_empty() && !own.failover.is_empty() {
        refusals.add("failover", "there is distribute too: only one can be".to_owned());
    }
    let topology = [REGION_LABEL, ZONE_LABEL, SUB_ZONE_LABEL];
    let mut labels = own.failover_priority.iter();
    if let Some(label) = labels.find(|label| !own.failover.is_empty() && topology.contains(&label.as_str())) {
        let message = format!("{label}: there is failover too, and both order localities");
        refusals.add("failoverPriority", message);
    }
    for (at, entry) in own.distribute.iter().enumerate() {
        distribution(entry, &format!("distribute[{at}]"), &mut refusals);
    }
    let from = own.distribute.iter().map(|entry| entry.from.as_str());
    if let Err(message) = are_apart(from) {
        refusals.add("distribute", message);
    }
    for (at, entry) in own.failover.iter().enumerate() {
        regions(entry, &format!("failover[{at}]"), &mut refusals);
    }
    refusals.some
}

fn distribution(own: &LocalityDistribution, field: &str, refusals: &mut SettingProblems<'_>) {
    for (locality, weight) in &own.to {
        if !(1..=100).contains(weight) {
            refusals.add(
                &format!("{field}.to[{locality:?}]"),
                format!("{weight} is not from 1 to 100"),
            );
            return;
        }
    }
    let total: u64 = own.to.values().map(|weight| u64::from(*weight)).sum();
    if total != 100 {
        refusals.add(
            &format!("{field}.to"),
            format!("the weights add up to {total}, not to 100"),
        );
    }
    if let Err(message) = are_apart(own.to.keys().map(String::as_str)) {
        refusals.add(&format!("{field}.to"), message);
    }
}

fn regions(own: &LocalityFailover, field: &str, refusals: &mut SettingProblems<'_>) {
    if own.from == own.to {
        refusals.add(&format!("{field}.to"), "it is the same as `from`".to_owned());
    }
    for (name, region) in [("from", &own.from), ("to", &own.to)] {
        if region.contains(['/', '*']) {
            let message = format!("{region:?}: a region, without `/` and `*`");
            refusals.add(&format!("{field}.{name}"), message);
        }
    }
}

/// Whether rules for localities mean different ones. As Istio has it, a wildcard at the end may follow what is within it.
fn are_apart<'l>(localities: impl Iterator<Item = &'l str>) -> Result<(), String> {
    let mut taken: Vec<Vec<&str>> = Vec::new();
    for locality in localities {
        if locality.strip_suffix('*').unwrap_or(locality).contains('*') {
            return Err(format!("{locality:?}: one `*` can be, at the end"));
        }
        let mut parts: Vec<_> = locality.splitn(3, '/').collect();
        if parts.contains(&"") {
            return Err(format!("{locality:?}: no part can be empty"));
        }
        let is_wild = parts.len() > 1 && parts.last() == Some(&"*");
        if is_wild {
            parts.pop();
        }
        let is_taken = |own: &Vec<&str>| {
            own == &["*"] || parts.starts_with(own) || (!is_wild && own.starts_with(&parts))
        };
        if taken.iter().any(is_taken) {
            return Err(format!("{locality:?}: an earlier one overlaps with it"));
        }
        taken.push(parts);
    }
    Ok(())
}

/// Says what is wrong.
struct SettingProblems<'p> {
    problems: &'p mut PolicyProblems,
    some: bool,
}

impl SettingProblems<'_> {
    fn add(&mut self, field: &str, message: String) {
        self.some = true;
        self.problems
            .refuse(format!("loadBalancer.localityLbSetting.{field}"), message);
    }
}
