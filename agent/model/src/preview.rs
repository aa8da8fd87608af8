//! The gateway as it follows from objects alone: without proxies that reject something, without reading certificates,
//! and without earlier state. The page asks it why a request goes where it goes, and what an edit would change. Of
//! certificates it knows what an agent says about them.

mod edit;
mod options;
mod outline;
mod place;
mod secrets;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealgate_core::arrival::PathPolicy;
use sealgate_core::explain::Question;

use crate::explain::ServedHost;
use crate::ledger::{Ledger, listed};
use crate::manifest::{self, Namespaces};
use crate::resolve::{Claims, Gateway, Resolver, Speaker, World};
use crate::store::{Judged, Store};
use crate::{Code, Finding, Kind, Object, ObjectRef, SourceObject};

pub use self::options::{GatewayOptions, OptionsError};
pub use self::outline::{GatewayOutline, HostOutline, RuleOutline, ServerOutline};
pub use self::place::line_of;
pub use self::secrets::{KnownSecret, KnownSecrets};
pub use self::table::{BadTable, TableReader};

/// The name of a text that is not in a file.
const PASTED: &str = "manifests";

/// See the module.
#[derive(Debug)]
pub struct Preview {
    gateway: Gateway,
    paths: PathPolicy,
    secrets: KnownSecrets,
    store: Store,
    ledger: Ledger<Speaker>,
    resolver: Resolver,
    /// Findings about single objects.
    said: BTreeMap<ObjectRef, Vec<Finding>>,
    /// Changes that are not settled yet.
    step: Judged,
}

impl Preview {
    /// Creates one without objects.
    #[must_use]
    pub fn new(gateway: Gateway, paths: PathPolicy, secrets: KnownSecrets, claims: &Claims) -> Self {
        let mut resolver = Resolver::new(gateway.clone());
        resolver.remember(claims);
        Self {
            store: Store::new(gateway.budgets()),
            resolver,
            gateway,
            paths,
            secrets,
            ledger: Ledger::default(),
            said: BTreeMap::new(),
            step: Judged::default(),
        }
    }

    /// Creates one from manifests, read like a directory with this one file.
    ///
    /// # Errors
    /// The options are invalid.
    pub fn of_manifests(text: &str, options: &GatewayOptions) -> Result<Self, OptionsError> {
        let mut preview = Self::new(
            options.gateway()?,
            options.paths(),
            KnownSecrets::assumed(),
            &Claims::new(),
        );
        for entry in preview.read(PASTED, text) {
            preview.set(entry);
        }
        preview.settle();
        Ok(preview)
    }

    /// Reads the objects in a text of this name. Those without a namespace get the one that they would get in a
    /// directory.
    #[must_use]
    pub fn read(&self, name: &str, text: &str) -> Vec<SourceObject> {
        let namespaces = Namespaces {
            gateway: self.gateway.namespace.clone(),
            other: "default",
        };
        let mut entries = manifest::read(name, text.as_bytes(), &namespaces);
        // In a conflict, the older object wins, as in the agent.
        entries.sort_by_key(|entry| entry.object.as_ref().and_then(|object| object.meta().created));
        first_of_each(name, entries)
    }

    /// Takes an object as it is written. [`Self::settle`] finds the consequences.
    pub fn set(&mut self, entry: SourceObject) {
        if entry.object_ref.kind == Kind::Secret {
            self.set_secret(entry);
        } else if entry.object_ref.kind == Kind::File {
            let known = self.step.said.entry(entry.object_ref).or_default();
            known.extend(entry.findings);
        } else {
            self.store.set(entry, &mut self.step);
        }
    }

    fn set_secret(&mut self, entry: SourceObject) {
        if let Some(Object::Secret(secret)) = &entry.object {
            for name in self.secrets.read(secret) {
                self.resolver.touch_credential(&name);
            }
        }
        self.step.say(entry.object_ref, entry.findings);
    }

    /// Takes an object as an agent serves it: the agent has already checked it.
    pub fn serve(&mut self, name: &ObjectRef, object: Option<Arc<Object>>) {
        match object {
            Some(object) => {
                self.store.reopen(name);
                self.store
                    .put(name, Some(Arc::clone(&object)), &object, &mut self.step);
            }
            None => self.store.delete(name, &mut self.step),
        }
    }

    /// What an agent serves of an object stands for one for which it has no room: it is charged to nobody.
    pub fn unpay(&mut self, name: &ObjectRef) {
        self.store.unpay(name, &mut self.step);
    }

    /// Replaces what is known about Secrets.
    pub fn set_secrets(&mut self, secrets: KnownSecrets) {
        for name in secrets.differing(&self.secrets) {
            self.resolver.touch_credential(&name);
        }
        self.secrets = secrets;
    }

    /// Finds the consequences of the changes so far.
    pub fn settle(&mut self) {
        let mut step = std::mem::take(&mut self.step);
        self.store.settle(&mut step);
        step.moved.iter().for_each(|moved| self.resolver.take(moved));
        for (name, findings) in step.said {
            if name.kind == Kind::Gateway {
                self.resolver.touch_gateway(&name);
            }
            self.said.insert(name.clone(), findings.clone());
            self.ledger.set(Speaker::Object(name), findings);
        }
        let said = self.ledger.findings().clone();
        let (secrets, tenants, store) = (&self.secrets, &self.gateway.tenants, &self.store);
        let world = World {
            is_served: &|name| secrets.is_served(name),
            may_name: &|namespace, name| {
                let listed = secrets.allowed(name);
                listed.is_none_or(|listed| tenants.may_name_secret(namespace, &name.name, listed))
            },
            is_known: &|name| store.get(name).is_some() || said.contains_key(name),
            certificate: &|name| secrets.certificate(name),
            namesake: &|name| secrets.namesake(name),
        };
        self.resolver.settle(world, &mut self.ledger);
    }

    /// The findings, the worst first.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        listed(self.ledger.findings())
    }

    /// What would be served.
    #[must_use]
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// An object as it is served.
    #[must_use]
    pub fn object(&self, name: &ObjectRef) -> Option<&Arc<Object>> {
        self.store.get(name)
    }

    /// The names of what is served.
    pub fn names(&self) -> impl Iterator<Item = ObjectRef> {
        self.store.objects().map(|object| object.object_ref())
    }

    /// Everything that the answer to a question needs. Looks at no other host.
    #[must_use]
    pub fn served_host(&self, question: &Question) -> ServedHost {
        ServedHost::new(question, &self.resolver, self.paths)
    }
}

/// Keeps the first of several objects with the same name, and reports the others.
fn first_of_each(name: &str, entries: Vec<SourceObject>) -> Vec<SourceObject> {
    let mut known = BTreeSet::new();
    let judged = entries.into_iter().map(|entry| {
        if entry.object_ref.kind == Kind::File || known.insert(entry.object_ref.clone()) {
            return entry;
        }
        let message = format!("{} is there twice; the first one is used", entry.object_ref);
        manifest::refused(ObjectRef::file(name), Code::DuplicateObject, None, message)
    });
    judged.collect()
}

#[cfg(test)]
mod tests;
