//! Which DestinationRules apply to a service, in Istio's order, and what is to be said of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::config::DestinationRuleSpec;
use sealgate_core::host::{self, intersection};

use super::Catalog;
use crate::resolve::rule_book::{AppliedRules, BookedRule, RuleRank, RuleShelf};
use crate::tenancy::{self, SERVICE_SUFFIXES, Tenancy};
use crate::{Code, Finding, Kind, Meta, ObjectRef, Severity};

impl Catalog {
    /// A rule may apply from now on, or not any more.
    pub(super) fn book_rule(
        &mut self,
        host: &str,
        (meta, name): (&Meta, &ObjectRef),
        spec: &Arc<DestinationRuleSpec>,
        there: bool,
    ) {
        let rank = RuleRank {
            is_general: spec.workload_selector.is_none(),
            created: meta.created,
            name: name.clone(),
        };
        if !there {
            return self.book.remove(host, &rank);
        }
        if self.unselected(name, spec).is_some() {
            return;
        }
        let is_own = |to: &String| to == "." || **to == *name.namespace;
        self.book.insert(
            host,
            BookedRule {
                rank,
                is_private: !spec.export_to.is_empty() && spec.export_to.iter().all(is_own),
                spec: Arc::clone(spec),
            },
        );
    }

    /// What is to be said of objects that may not speak for a host, are for others, or ask for what is not carried out.
    pub(super) fn said(&self, host: &str) -> Vec<Finding> {
        let Some(known) = self.hosts.get(host) else {
            return Vec::new();
        };
        let foreign = known.strangers.iter().map(|stranger| foreign(stranger, host));
        let rules = known.rules.iter().flat_map(|(name, rule)| {
            let for_others = self.unselected(name, &rule.spec);
            match for_others.or_else(|| self.of_other_clients(name, host)) {
                Some(finding) => vec![finding],
                None => rule.said.clone(),
            }
        });
        foreign.chain(rules).collect()
    }

    /// Says of a DestinationRule that its `workloadSelector` does not mean this gateway, if it does not.
    fn unselected(&self, name: &ObjectRef, rule: &DestinationRuleSpec) -> Option<Finding> {
        let selector = rule.workload_selector.as_ref()?;
        let labels = &selector.match_labels;
        let other = labels
            .iter()
            .find(|(key, value)| self.labels.get(*key) != Some(*value));
        let reason = if *name.namespace != *self.tenants.gateway {
            format!("the gateway is in {}", self.tenants.gateway)
        } else {
            let (key, value) = other?;
            format!("this gateway's labels do not have {key}: {value} (--gateway-labels)")
        };
        let message = format!(
            "a DestinationRule with a workloadSelector applies to proxies of its own namespace that have these labels, and \
             {reason}: it does not apply here"
        );
        Some(Finding {
            severity: Severity::Info,
            code: Code::NotSelected,
            object: name.clone(),
            field: Some("spec.workloadSelector".to_owned()),
            message,
        })
    }

    /// Says of a DestinationRule that it is for clients in its own namespace, if it is in none of those that are looked at.
    fn of_other_clients(&self, name: &ObjectRef, host: &str) -> Option<Finding> {
        // Of a wildcard it is known if all hosts within are of one namespace.
        let service = match host.starts_with('*') {
            true => tenancy::owner(host),
            false => self.service_namespace(host),
        };
        let service = service?;
        let namespace = &*name.namespace;
        if namespace == service || self.tenants.is_operator(namespace) {
            return None;
        }
        let message = format!(
            "{host} is a service of the namespace {service}: as in Istio, a rule in {namespace} applies to clients in \
             {namespace}, and not to this gateway"
        );
        Some(Finding {
            severity: Severity::Info,
            code: Code::OtherClients,
            object: name.clone(),
            field: Some("spec.host".to_owned()),
            message,
        })
    }

    /// The DestinationRules that apply to a service.
    pub(in crate::resolve) fn rules<'c>(&'c self, host: &'c str) -> AppliedRules<'c> {
        self.book.of(host, self.shelves(host))
    }

    /// Where they are looked up: in the gateway's own namespace, that of the service, the root namespace. If the gateway's is the
    /// root namespace, what it has for everybody comes last, so that it does not hide what the owner of a service says.
    fn shelves<'c>(&'c self, host: &'c str) -> impl Iterator<Item = RuleShelf<'c>> {
        let (gateway, root) = (&*self.tenants.gateway, &*self.tenants.root);
        let shelf = |namespace| RuleShelf {
            namespace,
            private: false,
        };
        let first = RuleShelf {
            namespace: gateway,
            private: gateway == root,
        };
        let service = self.service_namespace(host).map(shelf);
        std::iter::once(first).chain(service).chain([shelf(root)])
    }

    /// The namespace of a service, as far as it is known.
    fn service_namespace<'c>(&'c self, host: &'c str) -> Option<&'c str> {
        let known = self.hosts.get(host);
        let owner = tenancy::owner(host);
        let is_owners =
            self.tenants.tenancy == Tenancy::Namespaces || known.is_some_and(|known| known.service.is_some());
        let holder = || known.and_then(|known| Some(&*known.holder.as_ref()?.namespace));
        owner.filter(|_| is_owners).or_else(holder).or(owner)
    }

    /// The hosts and wildcards of services to which other DestinationRules may apply, since the last time.
    pub(in crate::resolve) fn take_moved_rules(&mut self) -> BTreeSet<Arc<str>> {
        let moved = std::mem::take(&mut self.moved_rules);
        moved
            .iter()
            .flat_map(|(pattern, namespace)| self.reach_of_rule(pattern, namespace))
            .collect()
    }

    /// Those that a wildcard in a rule of this namespace can mean: an operator's means all, anybody else's those of its own
    /// namespace.
    fn reach_of_rule(&self, pattern: &Arc<str>, namespace: &Arc<str>) -> Vec<Arc<str>> {
        if self.tenants.is_operator(namespace) {
            return vec![Arc::clone(pattern)];
        }
        let own = SERVICE_SUFFIXES.map(|suffix| format!("*.{namespace}{suffix}"));
        let own = own
            .iter()
            .filter_map(|own| intersection(pattern, own).map(Arc::from));
        let held = self.held.of(namespace);
        let held = held.filter(|own| host::matches(pattern, own)).cloned();
        own.chain(held).collect()
    }
}

fn foreign(object: &ObjectRef, host: &str) -> Finding {
    let owner = tenancy::owner(host).unwrap_or_default();
    let others = match object.kind {
        Kind::ServiceEntry => " (with --tenancy single, all do)",
        _ => "",
    };
    Finding {
        severity: Severity::Error,
        code: Code::ForeignService,
        object: object.clone(),
        field: None,
        message: format!(
            "{host} is a Service in the namespace {owner}: only objects in {owner} and in the operator's namespaces \
             apply to it{others}"
        ),
    }
}
