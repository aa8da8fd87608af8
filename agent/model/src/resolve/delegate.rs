//! `delegate`: the rules of another VirtualService replace the one that delegates to it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_core::config::{Delegate, Destination, HttpRoute};
use sealgate_core::convert::{Problem, delegate};
use sealgate_core::rules::{DelegatingRule, RuleOrigin};

use super::catalog::full_name;
use super::service::{Service, Services, is_exported};
use crate::Code;
use crate::gateway_ref::{self, MESH};
use crate::{Finding, Severity};
use crate::{Kind, Meta, ObjectRef};

/// A rule being built, with where it and each of its blocks were written.
pub(super) struct Declared<'a> {
    pub(super) route: Cow<'a, HttpRoute>,
    pub(super) service: &'a Meta,
    pub(super) origin: RuleOrigin,
    pub(super) places: Vec<usize>,
}

impl Declared<'_> {
    /// Problems of a root and a delegate that are valid alone, but not together.
    pub(super) fn refusals(&self, problems: &[Problem]) -> impl Iterator<Item = Finding> {
        let refused = problems.iter().filter(|problem| problem.refused);
        refused.map(|problem| {
            let field = format!("spec.http[{}].{}", self.origin.rule, problem.field);
            error(self.service, problem.code.into(), field, problem.message.clone())
        })
    }
}

/// The rules of a VirtualService, with delegates' rules in place of those that delegate, except those of some
/// namespaces.
pub(super) fn declared<'a>(
    service: &'a Service,
    services: &'a Services,
    without: &BTreeSet<Arc<str>>,
    findings: &mut Vec<Finding>,
) -> Vec<Declared<'a>> {
    let mut declared = Vec::with_capacity(service.spec.http.len());
    for (at, route) in service.spec.http.iter().enumerate() {
        if let Some(to) = &route.delegate {
            let namespace = to.namespace.as_deref().filter(|own| !own.is_empty());
            if without.contains(namespace.unwrap_or(&service.meta.namespace)) {
                continue;
            }
            declared.extend(delegated(service, (at, route), to, services, findings));
        } else {
            declared.push(Declared {
                route: Cow::Borrowed(route),
                service: &service.meta,
                origin: origin(&service.meta, at, route),
                places: (0..route.r#match.len()).collect(),
            });
        }
    }
    declared
}

/// The rules of a rule's delegate; empty if there is none, or if the root may not see it.
fn delegated<'a>(
    service: &Service,
    (at, rule): (usize, &HttpRoute),
    to: &Delegate,
    services: &'a Services,
    findings: &mut Vec<Finding>,
) -> Vec<Declared<'a>> {
    let root = &service.meta;
    let delegate = match find(root, to, services) {
        Ok(delegate) => delegate,
        Err((code, message)) => {
            findings.push(error(root, code, format!("spec.http[{at}].delegate"), message));
            return Vec::new();
        }
    };
    let own = &delegate.meta;
    let rule = qualified(rule, &root.namespace);
    let mut declared = Vec::new();
    for (number, own_rule) in delegate.spec.http.iter().enumerate() {
        let Some(merged) = delegate::merge(&rule, &qualified(own_rule, &own.namespace)) else {
            let message = format!(
                "its conditions are not within those of VirtualService {}/{} http[{at}]: the rule is left out",
                root.namespace, root.name
            );
            let field = format!("spec.http[{number}].match");
            findings.push(error(own, Code::DelegateConflict, field, message));
            continue;
        };
        let from = DelegatingRule {
            virtual_service: format!("{}/{}", root.namespace, root.name),
            rule: at,
        };
        declared.push(Declared {
            origin: RuleOrigin {
                root: Some(Box::new(from)),
                ..origin(own, number, &merged.route)
            },
            route: Cow::Owned(merged.route),
            service: own,
            places: merged.places,
        });
    }
    declared
}

/// The VirtualService that a rule delegates to.
fn find<'a>(root: &Meta, to: &Delegate, services: &'a Services) -> Result<&'a Service, (Code, String)> {
    let name = to.name.as_deref().unwrap_or_default();
    let namespace = to.namespace.as_deref().filter(|namespace| !namespace.is_empty());
    let namespace = namespace.unwrap_or(&root.namespace);
    let found = services.named(namespace, name);
    let Some(delegate) = found.filter(|found| found.spec.hosts.is_empty()) else {
        let message =
            format!("there is no VirtualService {namespace}/{name} without hosts: the rule is left out");
        return Err((Code::UnknownDelegate, message));
    };
    if !is_exported(
        &delegate.spec.export_to,
        &delegate.meta.namespace,
        &root.namespace,
    ) {
        let message = format!(
            "{namespace}/{name} is not exported to {}: the rule is left out",
            root.namespace
        );
        return Err((Code::DelegateNotExported, message));
    }
    Ok(delegate)
}

fn error(service: &Meta, code: Code, field: String, message: String) -> Finding {
    Finding {
        severity: Severity::Error,
        code,
        object: ObjectRef::new(Kind::VirtualService, &*service.namespace, &*service.name),
        field: Some(field),
        message,
    }
}

fn origin(meta: &Meta, at: usize, route: &HttpRoute) -> RuleOrigin {
    RuleOrigin {
        virtual_service: format!("{}/{}", meta.namespace, meta.name),
        rule: at,
        name: route.name.clone(),
        root: None,
    }
}

/// Qualifies the names of services and Gateways, so that they mean the same in another namespace.
fn qualified(route: &HttpRoute, namespace: &str) -> HttpRoute {
    let mut route = route.clone();
    let destinations = route.route.iter_mut().map(|to| &mut to.destination);
    let mirrors = route
        .mirrors
        .iter_mut()
        .filter_map(|mirror| mirror.destination.as_deref_mut());
    let all = destinations.chain(route.mirror.as_deref_mut()).chain(mirrors);
    all.filter(|to| !to.host.is_empty())
        .for_each(|to: &mut Destination| {
            to.host = full_name(&to.host, namespace);
        });
    for gateway in route.r#match.iter_mut().flat_map(|block| &mut block.gateways) {
        if gateway != MESH {
            let (namespace, name) = gateway_ref::resolve(gateway, namespace);
            *gateway = format!("{namespace}/{name}");
        }
    }
    route
}
