//! DestinationRules by namespace and host, and which of them apply to a service, as Istio finds them: those of one namespace,
//! for the most specific host that matches. A cluster that asks what they say of it pays for the answer alone: thousands may
//! ask, of thousands of rules and subsets for one host.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealgate_core::config::{DestinationRuleSpec, Subset};

use crate::ObjectRef;
use crate::few;
use crate::patterns::PatternMap;
use crate::traffic_policy::MergedPolicy;

/// Which of a namespace's rules for a host comes first: those that name the gateway's labels, then the older ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleRank {
    pub(super) is_general: bool,
    pub(super) created: Option<i64>,
    pub(super) name: ObjectRef,
}

/// A DestinationRule that may apply to the gateway.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BookedRule {
    pub(super) rank: RuleRank,
    /// Whether its own namespace alone sees it.
    pub(super) is_private: bool,
    pub(super) spec: Arc<DestinationRuleSpec>,
}

/// A namespace in which rules are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleShelf<'n> {
    pub(super) namespace: &'n str,
    /// Only those that nobody else sees.
    pub(super) private: bool,
}

/// What DestinationRules say of a destination.
pub(super) struct KnownPolicy<'k> {
    pub(super) merged: MergedPolicy<'k>,
    /// Who asks for its TLS, or would.
    pub(super) tls_by: &'k ObjectRef,
    /// Who says which endpoint a request goes to, or would.
    pub(super) balanced_by: &'k ObjectRef,
}

/// A subset, by its rule and its place there.
#[derive(Debug, PartialEq)]
struct BookedSubset {
    rule: Arc<BookedRule>,
    at: usize,
}

/// The rules of a namespace for one host.
#[derive(Debug, Default, PartialEq)]
struct RulesOfHost {
    /// In order.
    rules: Vec<Arc<BookedRule>>,
    /// Those that say something of the whole service, in order.
    policies: Vec<Arc<BookedRule>>,
    /// The subsets of all of them by name, in the order of their rules.
    subsets: BTreeMap<String, Vec<BookedSubset>>,
}

/// By namespace and host. No host is without a rule.
type Shelves = BTreeMap<Arc<str>, PatternMap<RulesOfHost>>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RuleBook {
    all: Shelves,
    /// Those that their own namespaces alone see, once more.
    private: Shelves,
}

impl RuleBook {
    /// A rule for a host is there from now on.
    pub(super) fn insert(&mut self, host: &str, rule: BookedRule) {
        self.remove(host, &rule.rank);
        let rule = Arc::new(rule);
        if rule.is_private {
            insert(&mut self.private, host, &rule);
        }
        insert(&mut self.all, host, &rule);
    }

    /// It is gone.
    pub(super) fn remove(&mut self, host: &str, rank: &RuleRank) {
        for shelves in [&mut self.all, &mut self.private] {
            remove(shelves, host, rank);
        }
    }

    /// The rules of the first namespace with one that matches the host.
    pub(super) fn of<'b>(
        &'b self,
        host: &'b str,
        shelves: impl IntoIterator<Item = RuleShelf<'b>>,
    ) -> AppliedRules<'b> {
        let mut shelves = shelves.into_iter();
        AppliedRules(shelves.find_map(|shelf| self.on_shelf(host, shelf)))
    }

    fn on_shelf<'b>(&'b self, host: &'b str, shelf: RuleShelf<'_>) -> Option<&'b RulesOfHost> {
        let shelves = if shelf.private { &self.private } else { &self.all };
        let hosts = shelves.get(shelf.namespace)?;
        hosts.get(host).or_else(|| hosts.containing(host).next())
    }
}

fn insert(shelves: &mut Shelves, host: &str, rule: &Arc<BookedRule>) {
    let namespace = Arc::clone(&rule.rank.name.namespace);
    let hosts = shelves.entry(namespace).or_default();
    hosts.update(host, |own| own.insert(rule));
}

fn remove(shelves: &mut Shelves, host: &str, rank: &RuleRank) {
    let namespace = &rank.name.namespace;
    let Some(hosts) = shelves.get_mut(namespace) else {
        return;
    };
    hosts.update(host, |own| own.remove(rank));
    if hosts.is_empty() {
        shelves.remove(namespace);
    }
}

impl RulesOfHost {
    /// Takes one that is not there yet.
    fn insert(&mut self, rule: &Arc<BookedRule>) {
        put(&mut self.rules, rule);
        if rule.spec.traffic_policy.is_some() {
            put(&mut self.policies, rule);
        }
        for (at, subset) in rule.spec.subsets.iter().enumerate() {
            let all = self.subsets.entry(subset.name.clone()).or_default();
            let place = all.partition_point(|own| own.rule.rank <= rule.rank);
            let rule = Arc::clone(rule);
            few::insert(all, place, BookedSubset { rule, at });
        }
    }

    fn remove(&mut self, rank: &RuleRank) {
        let Some(rule) = take(&mut self.rules, rank) else {
            return;
        };
        take(&mut self.policies, rank);
        for subset in &rule.spec.subsets {
            let Some(all) = self.subsets.get_mut(&subset.name) else {
                continue;
            };
            let from = all.partition_point(|own| own.rule.rank < *rank);
            let to = all.partition_point(|own| own.rule.rank <= *rank);
            drop(all.drain(from..to));
            if all.is_empty() {
                self.subsets.remove(&subset.name);
            }
        }
    }
}

/// Puts a rule where it belongs.
fn put(rules: &mut Vec<Arc<BookedRule>>, rule: &Arc<BookedRule>) {
    let at = rules.partition_point(|own| own.rank < rule.rank);
    few::insert(rules, at, Arc::clone(rule));
}

fn take(rules: &mut Vec<Arc<BookedRule>>, rank: &RuleRank) -> Option<Arc<BookedRule>> {
    let at = rules.binary_search_by(|own| own.rank.cmp(rank)).ok()?;
    Some(rules.remove(at))
}

/// The rules that apply to a service, merged as Istio merges those of one namespace and host.
#[derive(Debug)]
pub(super) struct AppliedRules<'b>(Option<&'b RulesOfHost>);

impl<'b> AppliedRules<'b> {
    /// A subset, and whose it is: of several with one name the first.
    pub(super) fn subset(&self, name: &str) -> Option<(&'b ObjectRef, &'b Subset)> {
        let BookedSubset { rule, at } = self.0?.subsets.get(name)?.first()?;
        Some((&rule.rank.name, rule.spec.subsets.get(*at)?))
    }

    /// What they say of a port of the service, or of a subset: the first `trafficPolicy` counts. None if nobody says anything.
    pub(super) fn policy(&self, subset: &str, port: u32) -> Option<KnownPolicy<'b>> {
        let service = self.0.and_then(|rules| rules.policies.first());
        let service = service.and_then(|rule| Some((&rule.rank.name, rule.spec.traffic_policy.as_deref()?)));
        let part = self.subset(subset).filter(|_| !subset.is_empty());
        let part = part.and_then(|(own, part)| Some((own, part.traffic_policy.as_deref()?)));
        let author = |own: Option<(_, _)>| own.map(|(author, _)| author);
        let policy = |own: Option<(_, _)>| own.map(|(_, policy)| policy);
        let whole = MergedPolicy::of(policy(service), None, port);
        let merged = MergedPolicy::of(policy(service), policy(part), port);
        // Of what the subset does not say, the service's policy is the author.
        let by = |is_services| match is_services {
            true => author(service),
            false => author(part.or(service)),
        };
        Some(KnownPolicy {
            tls_by: by(is_same(whole.tls, merged.tls))?,
            balanced_by: by(is_same(whole.load_balancer, merged.load_balancer))?,
            merged,
        })
    }
}

fn is_same<T>(one: Option<&T>, other: Option<&T>) -> bool {
    one.zip(other)
        .is_some_and(|(one, other)| std::ptr::eq(one, other))
}

#[cfg(test)]
mod tests {
    use sealgate_core::config::TrafficPolicy;

    use super::*;
    use crate::Kind;

    const HOST: &str = "a.test";

    /// One of eleven rules, with some of four subsets, and in each version others.
    fn rule(step: usize) -> BookedRule {
        let number = step * 7 % 11;
        let subsets = (0..4_u32).filter(|at| (step >> *at) & 1 == 1).map(|at| Subset {
            name: format!("v{at}"),
            labels: [("step".to_owned(), step.to_string())].into(),
            traffic_policy: None,
        });
        BookedRule {
            rank: RuleRank {
                is_general: !number.is_multiple_of(3),
                created: i64::try_from(number % 5).ok(),
                name: ObjectRef::new(Kind::DestinationRule, "team", format!("r{number}")),
            },
            is_private: step.is_multiple_of(4),
            spec: Arc::new(DestinationRuleSpec {
                subsets: subsets.collect(),
                traffic_policy: step.is_multiple_of(3).then(|| Box::new(TrafficPolicy::default())),
                ..DestinationRuleSpec::default()
            }),
        }
    }

    /// The first subset of a name, and the first policy, as a look at all rules in order finds them.
    fn expected<'r>(
        rules: impl Iterator<Item = &'r BookedRule> + Clone,
        name: &str,
    ) -> (Option<&'r Subset>, Option<&'r ObjectRef>) {
        let mut subsets = rules.clone().flat_map(|own| &own.spec.subsets);
        let mut policies = rules.filter(|own| own.spec.traffic_policy.is_some());
        (
            subsets.find(|own| own.name == name),
            policies.next().map(|own| &own.rank.name),
        )
    }

    #[test]
    fn what_is_found_is_what_a_look_at_all_rules_finds() {
        let mut book = RuleBook::default();
        let mut all = BTreeMap::<RuleRank, BookedRule>::new();
        for step in 0..500 {
            let rule = rule(step);
            if step % 5 == 4 {
                book.remove(HOST, &rule.rank);
                all.remove(&rule.rank);
            } else {
                book.insert(HOST, rule.clone());
                all.insert(rule.rank.clone(), rule);
            }
            for private in [false, true] {
                let namespace = "team";
                let found = book.of(HOST, [RuleShelf { namespace, private }]);
                let seen = all.values().filter(|own| own.is_private || !private);
                assert_eq!(found.0.is_some(), seen.clone().next().is_some(), "step {step}");
                for name in ["v0", "v1", "v2", "v3", "v4"] {
                    let (subset, author) = expected(seen.clone(), name);
                    assert_eq!(found.subset(name).map(|own| own.1), subset, "step {step}: {name}");
                    let known = found.policy(name, 80).map(|own| own.balanced_by);
                    assert_eq!(known, author, "step {step}: {name}");
                }
            }
        }
        for rank in all.keys() {
            book.remove(HOST, rank);
        }
        assert!(book.all.is_empty() && book.private.is_empty());
    }
}
