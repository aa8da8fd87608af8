//! VirtualServices, indexed by host, name, Gateway and delegate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use sealgate_core::config::{HttpRoute, VirtualServiceSpec};

use super::index::Index;
use super::rank::Rank;
use crate::budget;
use crate::few::Few;
use crate::gateway_ref;
use crate::patterns::PatternMap;
use crate::{Meta, ObjectRef};

/// A VirtualService.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its rank.
    pub rank: Rank,
    /// Its metadata.
    pub meta: Arc<Meta>,
    /// What it says.
    pub spec: Arc<VirtualServiceSpec>,
    /// Its hosts, lower-case, each once.
    pub(super) hosts: Few<Arc<str>>,
    /// The weight of its own rules, computed when first needed.
    weight: OnceLock<u64>,
}

/// Namespace and name.
pub(super) type Name = (Arc<str>, Arc<str>);

impl Service {
    /// Reads a VirtualService.
    #[must_use]
    pub fn new(meta: &Arc<Meta>, spec: &Arc<VirtualServiceSpec>) -> Self {
        let hosts = spec.hosts.iter().map(|host| host.to_ascii_lowercase().into());
        Self {
            rank: Rank::of(meta),
            meta: Arc::clone(meta),
            spec: Arc::clone(spec),
            hosts: hosts.collect(),
            weight: OnceLock::new(),
        }
    }

    /// The weight of its own rules, without those of delegates.
    fn weight(&self) -> u64 {
        let rules = || self.spec.http.iter().map(budget::weight).sum::<u64>();
        *self
            .weight
            .get_or_init(|| (rules() + budget::weight_of_streams(&self.spec)).max(1))
    }

    /// Its name.
    #[must_use]
    pub fn object_ref(&self) -> ObjectRef {
        self.rank.virtual_service()
    }

    /// Whether it names a Gateway, and may be bound to it.
    #[must_use]
    pub fn is_bound(&self, gateway: &Rank) -> bool {
        is_exported(&self.spec.export_to, &self.meta.namespace, &gateway.namespace)
            && self
                .spec
                .gateways
                .iter()
                .any(|name| names_gateway(name, &self.meta.namespace, gateway))
    }

    /// The Gateways that it names.
    pub(super) fn gateways(&self) -> impl Iterator<Item = Name> {
        self.spec.gateways.iter().map(|name| {
            let (namespace, name) = gateway_ref::resolve(name, &self.meta.namespace);
            (namespace.into(), name.into())
        })
    }

    /// The server names of its rules for TLS, lower-case, each once.
    pub(super) fn server_names(&self) -> BTreeSet<Arc<str>> {
        let blocks = self.spec.tls.iter().flat_map(|rule| &rule.r#match);
        let names = blocks.flat_map(|block| &block.sni_hosts);
        names.map(|name| name.to_ascii_lowercase().into()).collect()
    }

    /// The VirtualServices that its rules delegate to, each with the rule.
    fn delegating(&self) -> impl Iterator<Item = (Name, &HttpRoute)> {
        let delegating = self
            .spec
            .http
            .iter()
            .filter_map(|rule| Some((rule.delegate.as_ref()?, rule)));
        delegating.map(|(to, rule)| {
            let namespace = to.namespace.as_deref().filter(|namespace| !namespace.is_empty());
            let name = to.name.as_deref().unwrap_or_default();
            let namespace = namespace.unwrap_or(&self.meta.namespace);
            ((namespace.into(), name.into()), rule)
        })
    }

    fn delegates(&self) -> impl Iterator<Item = Name> {
        self.delegating().map(|(name, _)| name)
    }
}

/// Whether `exportTo` of an object in `own` lets `namespace` see it; without `exportTo`, all namespaces do.
#[must_use]
pub fn is_exported(export_to: &[String], own: &str, namespace: &str) -> bool {
    export_to.is_empty()
        || export_to.iter().any(|to| match to.as_str() {
            "*" => true,
            "." => own == namespace,
            to => to == namespace,
        })
}

/// Whether this name, in an object of this namespace, means this Gateway.
#[must_use]
pub fn names_gateway(name: &str, namespace: &str, gateway: &Rank) -> bool {
    let (namespace, name) = gateway_ref::resolve(name, namespace);
    *namespace == *gateway.namespace && *name == *gateway.name
}

/// All VirtualServices.
#[derive(Debug, Default)]
pub(super) struct Services {
    by_rank: BTreeMap<Rank, Arc<Service>>,
    by_name: BTreeMap<Name, Arc<Service>>,
    by_host: PatternMap<Few<Rank>>,
    /// By the server names of their rules for TLS.
    by_server_name: PatternMap<Few<Rank>>,
    /// By the name of a Gateway that they name, in any namespace: findings about a missing Gateway list those of the
    /// same name.
    by_gateway: Index<Arc<str>, Rank>,
    /// Those with rules for TCP, in the same way.
    tcp_by_gateway: Index<Arc<str>, Rank>,
    /// Those that delegate to a VirtualService of this name.
    roots: Index<Name, Rank>,
}

impl Services {
    pub(super) fn insert(&mut self, service: &Arc<Service>) {
        let rank = &service.rank;
        for host in &service.hosts {
            self.by_host.entry(host).insert(rank.clone());
        }
        for name in service.server_names() {
            self.by_server_name.entry(&name).insert(rank.clone());
        }
        for (_, name) in service.gateways() {
            if !service.spec.tcp.is_empty() {
                self.tcp_by_gateway.insert(Arc::clone(&name), rank.clone());
            }
            self.by_gateway.insert(name, rank.clone());
        }
        for delegate in service.delegates() {
            self.roots.insert(delegate, rank.clone());
        }
        self.by_name.insert(own_name(service), Arc::clone(service));
        self.by_rank.insert(rank.clone(), Arc::clone(service));
    }

    pub(super) fn remove(&mut self, service: &Service) {
        let rank = &service.rank;
        for host in &service.hosts {
            self.by_host.update(host, |ranks| {
                ranks.remove(rank);
            });
        }
        for name in service.server_names() {
            self.by_server_name.update(&name, |ranks| {
                ranks.remove(rank);
            });
        }
        for (_, name) in service.gateways() {
            self.tcp_by_gateway.remove(&name, rank);
            self.by_gateway.remove(&name, rank);
        }
        for delegate in service.delegates() {
            self.roots.remove(&delegate, rank);
        }
        self.by_name.remove(&own_name(service));
        self.by_rank.remove(rank);
    }

    #[cfg(test)]
    pub(super) fn forget_roots(&mut self) {
        self.roots = Index::default();
    }

    #[cfg(test)]
    pub(super) fn forget_server_names(&mut self) {
        self.by_server_name = PatternMap::default();
    }

    pub(super) fn get(&self, rank: &Rank) -> Option<&Arc<Service>> {
        self.by_rank.get(rank)
    }

    pub(super) fn named(&self, namespace: &str, name: &str) -> Option<&Arc<Service>> {
        self.by_name.get(&(namespace.into(), name.into()))
    }

    /// Those with exactly this host.
    pub(super) fn of_host(&self, host: &str) -> impl Iterator<Item = &Arc<Service>> {
        self.resolved(self.by_host.get(host).into_iter().flatten())
    }

    /// Those with a host that contains this one.
    pub(super) fn containing<'s>(&'s self, host: &'s str) -> impl Iterator<Item = &'s Arc<Service>> {
        self.resolved(self.by_host.containing(host).flatten())
    }

    /// Those with a host within this one, each with that host.
    pub(super) fn within<'s>(
        &'s self,
        host: &str,
    ) -> impl Iterator<Item = (Arc<str>, &'s Arc<Service>)> + use<'s> {
        let within = self.by_host.within(host).collect::<Vec<_>>();
        within.into_iter().flat_map(move |(host, ranks)| {
            let host: Arc<str> = host.into();
            self.resolved(ranks.iter())
                .map(move |service| (Arc::clone(&host), service))
        })
    }

    /// Those with a rule for TLS with exactly this server name.
    pub(super) fn of_server_name(&self, name: &str) -> impl Iterator<Item = &Arc<Service>> {
        self.resolved(self.by_server_name.get(name).into_iter().flatten())
    }

    /// Those with a rule for TLS with a server name that contains this one.
    pub(super) fn server_name_containing<'s>(
        &'s self,
        name: &'s str,
    ) -> impl Iterator<Item = &'s Arc<Service>> {
        self.resolved(self.by_server_name.containing(name).flatten())
    }

    /// The server names of rules for TLS within this one.
    pub(super) fn server_names_within(&self, name: &str) -> impl Iterator<Item = Arc<str>> {
        self.by_server_name.within(name).map(|(name, _)| name.into())
    }

    /// Those with rules for TCP that name a Gateway of this name.
    pub(super) fn tcp_of_gateway(&self, name: &str) -> impl Iterator<Item = &Arc<Service>> {
        self.resolved(self.tcp_by_gateway.of(name))
    }

    /// Those that name a Gateway of this name.
    pub(super) fn of_gateway(&self, name: &str) -> impl Iterator<Item = &Arc<Service>> {
        self.resolved(self.by_gateway.of(name))
    }

    /// The weight of a VirtualService's rules on a host, by the namespace that wrote them: a rule that delegates is
    /// repeated for each rule of its delegate.
    pub(super) fn weights(&self, service: &Service) -> Vec<(Arc<str>, u64)> {
        let mut weights = vec![(Arc::clone(&service.rank.namespace), service.weight())];
        for (name, rule) in service.delegating() {
            if let Some(delegate) = self.by_name.get(&name) {
                let rules = u64::try_from(delegate.spec.http.len()).unwrap_or(u64::MAX);
                let repeated = rules.saturating_mul(budget::weight(rule));
                weights.push((name.0, repeated.saturating_add(delegate.weight())));
            }
        }
        weights
    }

    /// Those that delegate to this one.
    pub(super) fn roots(&self, service: &Service) -> Vec<Arc<Service>> {
        let roots = self.roots.of(&own_name(service));
        roots.filter_map(|rank| self.by_rank.get(rank)).cloned().collect()
    }

    fn resolved<'s>(
        &'s self,
        ranks: impl Iterator<Item = &'s Rank>,
    ) -> impl Iterator<Item = &'s Arc<Service>> {
        ranks.filter_map(|rank| self.by_rank.get(rank))
    }
}

fn own_name(service: &Service) -> Name {
    (
        Arc::clone(&service.rank.namespace),
        Arc::clone(&service.rank.name),
    )
}
