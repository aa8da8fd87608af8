//! The objects as they stand: of each the last good version. Credentials are the agent's, which can read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_core::config::GatewaySpec;

use crate::Code;
use crate::SourceObject;
use crate::few::Few;
use crate::validate;
use crate::{Finding, Severity};
use crate::{Object, ObjectRef};

/// One object that changed: what it was, and what it is.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Its name.
    pub name: ObjectRef,
    /// None if it is new.
    pub before: Option<Arc<Object>>,
    /// None if it is gone.
    pub now: Option<Arc<Object>>,
}

/// A port and a host that a Gateway wants TLS for.
type Claim = (u32, String);

/// A Gateway that is good by itself, and at odds with one that was there before.
#[derive(Debug)]
struct Waiting {
    object: Arc<Object>,
    /// What reading it brought up.
    read: Vec<Finding>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Store {
    objects: BTreeMap<ObjectRef, Arc<Object>>,
    waiting: BTreeMap<ObjectRef, Waiting>,
    /// Who has a host, and who wants it.
    claimed: BTreeMap<Claim, Few<ObjectRef>>,
    wanted: BTreeMap<Claim, Few<ObjectRef>>,
}

/// What a change of the store brings: moved objects, and what is said of each.
#[derive(Debug, Default)]
pub struct Judged {
    /// In the order in which they moved.
    pub moved: Vec<Moved>,
    /// What is said of an object from now on.
    pub said: BTreeMap<ObjectRef, Vec<Finding>>,
    /// Objects that are gone.
    pub gone: BTreeSet<ObjectRef>,
}

impl Judged {
    /// An object is gone, and nothing is said of it by itself any more.
    pub fn delete(&mut self, name: &ObjectRef) {
        self.said.insert(name.clone(), Vec::new());
        self.gone.insert(name.clone());
    }

    /// This is said of an object that is there.
    pub fn say(&mut self, name: ObjectRef, findings: Vec<Finding>) {
        self.gone.remove(&name);
        self.said.insert(name, findings);
    }
}

impl Store {
    /// All objects, in order.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    /// One object.
    #[must_use]
    pub fn get(&self, name: &ObjectRef) -> Option<&Arc<Object>> {
        self.objects.get(name)
    }

    /// Takes an object as it was read; one that could not be read leaves the last good version alone.
    pub fn set(&mut self, entry: SourceObject, step: &mut Judged) {
        let SourceObject {
            object_ref,
            object,
            findings,
        } = entry;
        match object {
            Some(object) => self.judge(object_ref, Arc::new(object), findings, step),
            None => step.say(object_ref, findings),
        }
    }

    fn judge(&mut self, name: ObjectRef, object: Arc<Object>, read: Vec<Finding>, step: &mut Judged) {
        let mut findings = read.clone();
        findings.extend(validate::object(&object));
        let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
        self.stop_waiting(&name);
        if !refused && let Some(collision) = self.collision(&name, &object) {
            findings.push(collision);
            self.wait(&name, object, read);
        } else if !refused && self.objects.get(&name) != Some(&object) {
            self.replace(&name, Some(object), step);
        }
        step.say(name, findings);
    }

    /// Forgets an object.
    pub fn delete(&mut self, name: &ObjectRef, step: &mut Judged) {
        step.delete(name);
        self.stop_waiting(name);
        if self.objects.contains_key(name) {
            self.replace(name, None, step);
        }
    }

    fn replace(&mut self, name: &ObjectRef, now: Option<Arc<Object>>, step: &mut Judged) {
        let before = match &now {
            Some(object) => self.objects.insert(name.clone(), Arc::clone(object)),
            None => self.objects.remove(name),
        };
        let freed = before.as_deref().map(claims).unwrap_or_default();
        for claim in &freed {
            take_out(&mut self.claimed, claim, name);
        }
        for claim in now.as_deref().map(claims).unwrap_or_default() {
            self.claimed.entry(claim).or_default().insert(name.clone());
        }
        step.moved.push(Moved {
            name: name.clone(),
            before,
            now,
        });
        self.retry(&freed, step);
    }

    /// Whoever has a host keeps it: a Gateway that asks for one that is another's is refused as a whole.
    fn collision(&self, name: &ObjectRef, object: &Object) -> Option<Finding> {
        let Object::Gateway(_, spec) = object else {
            return None;
        };
        let others: BTreeSet<&ObjectRef> = claims(object)
            .iter()
            .filter_map(|claim| self.claimed.get(claim))
            .flatten()
            .filter(|other| *other != name)
            .collect();
        others.into_iter().find_map(|other| {
            let taken = self.gateway(other)?;
            if !validate::selectors_overlap(&spec.selector, &taken.selector) {
                return None;
            }
            let (field, host) = validate::shared_tls_host(spec, taken)?;
            Some(Finding {
                severity: Severity::Error,
                code: Code::HostCollision,
                object: name.clone(),
                field: Some(field),
                message: format!("{host} is served by {other}, which stays"),
            })
        })
    }

    fn gateway(&self, name: &ObjectRef) -> Option<&GatewaySpec> {
        match self.objects.get(name).map(Arc::as_ref) {
            Some(Object::Gateway(_, spec)) => Some(spec),
            _ => None,
        }
    }

    fn wait(&mut self, name: &ObjectRef, object: Arc<Object>, read: Vec<Finding>) {
        for claim in claims(&object) {
            self.wanted.entry(claim).or_default().insert(name.clone());
        }
        self.waiting.insert(name.clone(), Waiting { object, read });
    }

    fn stop_waiting(&mut self, name: &ObjectRef) -> Option<Waiting> {
        let waiting = self.waiting.remove(name)?;
        for claim in claims(&waiting.object) {
            take_out(&mut self.wanted, &claim, name);
        }
        Some(waiting)
    }

    /// Hosts may be free now: whoever waits for one of them is judged again.
    fn retry(&mut self, freed: &[Claim], step: &mut Judged) {
        let hopeful: BTreeSet<ObjectRef> = freed
            .iter()
            .filter_map(|claim| self.wanted.get(claim))
            .flatten()
            .cloned()
            .collect();
        for name in hopeful {
            if let Some(Waiting { object, read }) = self.stop_waiting(&name) {
                self.judge(name, object, read, step);
            }
        }
    }

    /// The names of everything that is known here, also of what waits.
    #[must_use]
    pub fn names(&self) -> BTreeSet<ObjectRef> {
        self.objects.keys().chain(self.waiting.keys()).cloned().collect()
    }
}

fn take_out(from: &mut BTreeMap<Claim, Few<ObjectRef>>, claim: &Claim, name: &ObjectRef) {
    if let Some(names) = from.get_mut(claim) {
        names.remove(name);
        if names.is_empty() {
            from.remove(claim);
        }
    }
}

/// What a Gateway wants TLS for.
fn claims(object: &Object) -> Vec<Claim> {
    let Object::Gateway(_, spec) = object else {
        return Vec::new();
    };
    let secure = spec
        .servers
        .iter()
        .filter(|server| server.port.protocol == "HTTPS");
    let mut claims: Vec<Claim> = secure
        .flat_map(|server| {
            let hosts = server.hosts.iter().map(|host| validate::split_host(host).1);
            hosts.map(|host| (server.port.number, host))
        })
        .collect();
    claims.sort();
    claims.dedup();
    claims
}
