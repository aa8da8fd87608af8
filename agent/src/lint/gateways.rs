//! What a VirtualService asks of Gateways that they do not give.

use std::collections::{BTreeSet, HashMap};

use sealgate_core::config::{GatewaySpec, HttpMatch, VirtualServiceSpec};
use sealgate_model::validate::split_host;
use sealgate_model::{Code, Finding, Kind, Meta, Object, ObjectRef, Severity};

use crate::state::State;
use crate::translate::Bound;
use sealgate_model::lint::hosts::HostSet;

/// Stands for the sidecars of a mesh among `gateways`.
const MESH: &str = "mesh";

/// Namespace and name of a Gateway.
type Key<'a> = (&'a str, &'a str);
/// A Gateway that a VirtualService names.
type Binding<'a> = (Key<'a>, &'a Served<'a>);

/// What of a Gateway matters here.
#[derive(Default)]
struct Served<'a> {
    /// By the namespace that they are for; none is every one.
    hosts: HashMap<Option<&'a str>, HostSet>,
    ports: BTreeSet<u32>,
}

struct Gateways<'a> {
    state: &'a State,
    /// Those that this gateway serves.
    served: HashMap<Key<'a>, Served<'a>>,
}

pub(super) fn check(state: &State, bound: &Bound) -> Vec<Finding> {
    let selected: BTreeSet<_> = bound.gateways.iter().map(|(name, _)| name).collect();
    let served = state.objects().filter_map(|object| match object {
        Object::Gateway(meta, spec) if selected.contains(&object.object_ref()) => Some((
            (meta.namespace.as_str(), meta.name.as_str()),
            Served::new(meta, spec),
        )),
        _ => None,
    });
    let gateways = Gateways {
        state,
        served: served.collect(),
    };
    let mut findings = Vec::new();
    for object in state.objects() {
        if let Object::VirtualService(meta, spec) = object {
            let mut service = Service {
                meta,
                spec,
                findings: &mut findings,
            };
            service.check(&gateways);
        }
    }
    findings
}

impl<'a> Served<'a> {
    fn new(meta: &'a Meta, spec: &'a GatewaySpec) -> Self {
        let mut served = Self::default();
        for server in &spec.servers {
            served.ports.insert(server.port.number);
            for text in &server.hosts {
                let (namespace, pattern) = split_host(text);
                let namespace = namespace.map(|own| if own == "." { meta.namespace.as_str() } else { own });
                served.hosts.entry(namespace).or_default().insert(&pattern);
            }
        }
        served
    }

    fn takes(&self, host: &str, namespace: &str) -> bool {
        let sets = [self.hosts.get(&None), self.hosts.get(&Some(namespace))];
        sets.into_iter().flatten().any(|set| set.intersects(host))
    }
}

/// `name` is the Gateway of its own namespace, `ns/name` another's.
fn resolve<'n>(name: &'n str, meta: &'n Meta) -> Key<'n> {
    name.split_once('/').unwrap_or((&meta.namespace, name))
}

fn gateway_ref((namespace, name): Key<'_>) -> ObjectRef {
    ObjectRef::new(Kind::Gateway, namespace, name)
}

struct Service<'s> {
    meta: &'s Meta,
    spec: &'s VirtualServiceSpec,
    findings: &'s mut Vec<Finding>,
}

impl<'s> Service<'s> {
    fn check(&mut self, gateways: &Gateways<'_>) {
        // Without hosts it is there for others to delegate to.
        if self.spec.hosts.is_empty() {
            return;
        }
        if self.spec.gateways.is_empty() {
            let message = "there are none: this is for the mesh alone, and no gateway serves it";
            self.say(
                Severity::Info,
                Code::NoGateways,
                "spec.gateways".to_owned(),
                message.to_owned(),
            );
            return;
        }
        let (mut bound, mut elsewhere) = (Vec::new(), false);
        for (at, name) in self
            .spec
            .gateways
            .iter()
            .enumerate()
            .filter(|(_, name)| *name != MESH)
        {
            let key = resolve(name, self.meta);
            match gateways.served.get(&key) {
                Some(served) => bound.push((key, served)),
                // Another gateway's, or refused and said so.
                None if gateways.state.is_known(&gateway_ref(key)) => elsewhere = true,
                None => self.unknown(at, key, gateways),
            }
        }
        self.exported(&mut bound);
        // What is served elsewhere is not known here.
        if !bound.is_empty() && !elsewhere {
            self.hosts(&bound);
            self.blocks(&bound);
        }
    }

    fn say(&mut self, severity: Severity, code: Code, field: String, message: String) {
        self.findings.push(Finding {
            severity,
            code,
            object: ObjectRef::new(Kind::VirtualService, &self.meta.namespace, &self.meta.name),
            field: Some(field),
            message,
        });
    }

    fn unknown(&mut self, at: usize, key: Key<'_>, gateways: &Gateways<'_>) {
        let namesakes = gateways.served.keys().filter(|(_, name)| *name == key.1);
        let hint = namesakes
            .min()
            .map(|(namespace, name)| format!("; there is {namespace}/{name}"));
        let message = format!("there is no {}{}", gateway_ref(key), hint.unwrap_or_default());
        self.say(
            Severity::Warning,
            Code::UnknownGateway,
            format!("spec.gateways[{at}]"),
            message,
        );
    }

    /// Takes out the Gateways that do not see the VirtualService.
    fn exported(&mut self, bound: &mut Vec<Binding<'_>>) {
        let sees = |namespace: &str| {
            let mut to = self.spec.export_to.iter();
            self.spec.export_to.is_empty()
                || to
                    .any(|to| to == "*" || to == namespace || (to == "." && self.meta.namespace == namespace))
        };
        let blind = bound
            .iter()
            .find(|((namespace, _), _)| !sees(namespace))
            .map(|(key, _)| *key);
        bound.retain(|((namespace, _), _)| sees(namespace));
        if let Some((namespace, name)) = blind {
            let message = format!("Gateway {namespace}/{name} does not see it, and does not serve it");
            self.say(
                Severity::Warning,
                Code::NotExported,
                "spec.exportTo".to_owned(),
                message,
            );
        }
    }

    fn hosts(&mut self, bound: &[Binding<'_>]) {
        for (at, host) in self.spec.hosts.iter().enumerate() {
            let name = host.to_ascii_lowercase();
            if !bound
                .iter()
                .any(|(_, served)| served.takes(&name, &self.meta.namespace))
            {
                let message = format!("no server of its Gateways takes {host}");
                self.say(
                    Severity::Warning,
                    Code::UnservedHost,
                    format!("spec.hosts[{at}]"),
                    message,
                );
            }
        }
    }

    fn blocks(&mut self, bound: &[Binding<'_>]) {
        for (rule, route) in self.spec.http.iter().enumerate() {
            for (at, block) in route.r#match.iter().enumerate() {
                if let Some((severity, field, message)) = self.dropped(block, bound) {
                    let field = format!("spec.http[{rule}].match[{at}].{field}");
                    self.say(severity, Code::DroppedMatch, field, message.to_owned());
                }
            }
        }
    }

    /// Why no Gateway carries a block out.
    fn dropped(
        &self,
        block: &HttpMatch,
        bound: &[Binding<'_>],
    ) -> Option<(Severity, &'static str, &'static str)> {
        if let Some(port) = block.port
            && !bound.iter().any(|(_, served)| served.ports.contains(&port))
        {
            let message = "no server of its Gateways has this port";
            return Some((Severity::Warning, "port", message));
        }
        if !block.gateways.is_empty() {
            let mut named = block.gateways.iter();
            let is_own = |name: &String| {
                let mut own = self.spec.gateways.iter();
                own.any(|own| resolve(own, self.meta) == resolve(name, self.meta))
            };
            let message = "the VirtualService is bound to none of these";
            return (!named.any(is_own)).then_some((Severity::Warning, "gateways", message));
        }
        if !block.source_labels.is_empty() {
            let message = "for clients in the mesh: a gateway drops this block";
            return Some((Severity::Info, "sourceLabels", message));
        }
        let foreign = block.source_namespace.as_ref().is_some_and(|own| {
            let mut bound = bound.iter();
            bound.all(|((namespace, _), _)| namespace != own)
        });
        let message = "for clients of that namespace: a gateway drops this block";
        foreign.then_some((Severity::Info, "sourceNamespace", message))
    }
}
