//! `delegate`: the rules of another VirtualService in the place of one that delegates to it.

use std::borrow::Cow;

use sealgate_core::config::{Delegate, Destination, HttpRoute};
use sealgate_core::convert::{Problem, delegate};
use sealgate_core::table::{Origin, Root};
use sealgate_model::Code;

use super::hosts::is_exported;
use super::rules::{Declared, origin};
use super::{Binder, ServiceRef, service_ref};
use crate::translate::destination::full_name;

impl<'a> Binder<'a> {
    /// What the delegate of rule `at` says; nothing if there is none, or if the root may not see it.
    pub(super) fn delegated(
        &mut self,
        (root, spec): ServiceRef<'a>,
        at: usize,
        to: &Delegate,
    ) -> Vec<Declared<'a>> {
        let Some(rule) = spec.http.get(at) else {
            return Vec::new();
        };
        let name = to.name.as_deref().unwrap_or_default();
        let namespace = to.namespace.as_deref().filter(|namespace| !namespace.is_empty());
        let namespace = namespace.unwrap_or(&root.namespace);
        let place = (service_ref(root), format!("spec.http[{at}].delegate"));
        let found = self.services.iter().copied();
        let mut found = found.filter(|(meta, _)| meta.namespace == namespace && meta.name == name);
        let Some((own, delegate)) = found.next().filter(|(_, spec)| spec.hosts.is_empty()) else {
            let message =
                format!("there is no VirtualService {namespace}/{name} without hosts: the rule is left out");
            self.report(Code::UnknownDelegate, place, message);
            return Vec::new();
        };
        if !is_exported(&delegate.export_to, &own.namespace, &root.namespace) {
            let message = format!(
                "{namespace}/{name} is not exported to {}: the rule is left out",
                root.namespace
            );
            self.report(Code::DelegateNotExported, place, message);
            return Vec::new();
        }
        let rule = qualified(rule, &root.namespace);
        let rules = delegate.http.iter().enumerate();
        rules
            .filter_map(|(number, own_rule)| {
                let merged = delegate::merge(&rule, &qualified(own_rule, &own.namespace));
                let Some(merged) = merged else {
                    let message = format!(
                        "its conditions are not within those of VirtualService {}/{} http[{at}]: the rule is left out",
                        root.namespace, root.name
                    );
                    let place = (service_ref(own), format!("spec.http[{number}].match"));
                    self.report(Code::DelegateConflict, place, message);
                    return None;
                };
                Some(Declared {
                    origin: Origin {
                        root: Some(Box::new(Root {
                            virtual_service: format!("{}/{}", root.namespace, root.name),
                            rule: at,
                        })),
                        ..origin(own, number, &merged.route)
                    },
                    route: Cow::Owned(merged.route),
                    service: own,
                    places: merged.places,
                })
            })
            .collect()
    }

    /// A root and a delegate that are good by themselves, and not together.
    pub(super) fn say_refused(&mut self, declared: &Declared<'a>, problems: &[Problem]) {
        for problem in problems.iter().filter(|problem| problem.refused) {
            let field = format!("spec.http[{}].{}", declared.origin.rule, problem.field);
            self.report(
                problem.code.into(),
                (service_ref(declared.service), field),
                problem.message.clone(),
            );
        }
    }
}

/// With the names of services and Gateways written out, so that they mean the same in another namespace.
fn qualified(route: &HttpRoute, namespace: &str) -> HttpRoute {
    let mut route = route.clone();
    let destinations = route.route.iter_mut().map(|to| &mut to.destination);
    let mirrors = route
        .mirrors
        .iter_mut()
        .filter_map(|mirror| mirror.destination.as_mut());
    let all = destinations.chain(route.mirror.as_mut()).chain(mirrors);
    all.filter(|to| !to.host.is_empty())
        .for_each(|to: &mut Destination| {
            to.host = full_name(&to.host, namespace);
        });
    for gateway in route.r#match.iter_mut().flat_map(|block| &mut block.gateways) {
        if gateway != "mesh" && !gateway.contains('/') {
            *gateway = format!("{namespace}/{gateway}");
        }
    }
    route
}
