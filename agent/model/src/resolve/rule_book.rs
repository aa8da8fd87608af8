//! DestinationRules by namespace and host, and which of them apply to a service, as Istio finds them: those of one namespace,
//! for the most specific host that matches.

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

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RuleBook {
    by_namespace: BTreeMap<Arc<str>, PatternMap<Vec<BookedRule>>>,
}

impl RuleBook {
    /// A rule for a host is there from now on.
    pub(super) fn insert(&mut self, host: &str, rule: BookedRule) {
        let namespace = Arc::clone(&rule.rank.name.namespace);
        self.by_namespace
            .entry(namespace)
            .or_default()
            .update(host, |rules| {
                rules.retain(|own| own.rank.name != rule.rank.name);
                let at = rules.partition_point(|own| own.rank < rule.rank);
                few::insert(rules, at, rule);
            });
    }

    /// It is gone.
    pub(super) fn remove(&mut self, host: &str, name: &ObjectRef) {
        let Some(hosts) = self.by_namespace.get_mut(&name.namespace) else {
            return;
        };
        hosts.update(host, |rules| rules.retain(|own| own.rank.name != *name));
        if hosts.is_empty() {
            self.by_namespace.remove(&name.namespace);
        }
    }

    /// The rules of the first namespace with one that matches the host.
    pub(super) fn of<'b>(
        &'b self,
        host: &'b str,
        shelves: impl IntoIterator<Item = RuleShelf<'b>>,
    ) -> AppliedRules<'b> {
        let mut shelves = shelves.into_iter();
        let found = shelves.find_map(|shelf| self.on_shelf(host, shelf));
        AppliedRules(found.unwrap_or_default())
    }

    fn on_shelf<'b>(&'b self, host: &'b str, shelf: RuleShelf<'_>) -> Option<Vec<&'b BookedRule>> {
        let is_seen = move |rule: &BookedRule| !shelf.private || rule.is_private;
        let hosts = self.by_namespace.get(shelf.namespace)?;
        let own = hosts.get(host).into_iter();
        let mut found = own.chain(hosts.containing(host)).map(|rules| {
            let seen = rules.iter().filter(|rule| is_seen(rule));
            seen.collect::<Vec<_>>()
        });
        found.find(|rules| !rules.is_empty())
    }
}

/// The rules that apply to a service, merged as Istio merges those of one namespace and host.
#[derive(Debug)]
pub(super) struct AppliedRules<'b>(Vec<&'b BookedRule>);

impl<'b> AppliedRules<'b> {
    /// A subset, and whose it is: of several with one name the first.
    pub(super) fn subset(&self, name: &str) -> Option<(&'b ObjectRef, &'b Subset)> {
        let mut subsets = self.0.iter().flat_map(|rule| {
            let subsets = rule.spec.subsets.iter();
            subsets.map(|subset| (&rule.rank.name, subset))
        });
        subsets.find(|(_, own)| own.name == name)
    }

    /// What they say of a port of the service, or of a subset: the first `trafficPolicy` counts. None if nobody says anything.
    pub(super) fn policy(&self, subset: &str, port: u32) -> Option<KnownPolicy<'b>> {
        let mut services = self.0.iter();
        let service = services.find_map(|rule| Some((&rule.rank.name, rule.spec.traffic_policy.as_deref()?)));
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
