//! The objects as they stand: of each the last good version. Credentials are the agent's, which can read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::SourceObject;
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

/// See the module.
#[derive(Debug, Default)]
pub struct Store {
    objects: BTreeMap<ObjectRef, Arc<Object>>,
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

    fn judge(&mut self, name: ObjectRef, object: Arc<Object>, mut findings: Vec<Finding>, step: &mut Judged) {
        findings.extend(validate::object(&object));
        let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
        if !refused && self.objects.get(&name) != Some(&object) {
            self.replace(&name, Some(object), step);
        }
        step.say(name, findings);
    }

    /// Forgets an object.
    pub fn delete(&mut self, name: &ObjectRef, step: &mut Judged) {
        step.delete(name);
        if self.objects.contains_key(name) {
            self.replace(name, None, step);
        }
    }

    fn replace(&mut self, name: &ObjectRef, now: Option<Arc<Object>>, step: &mut Judged) {
        let before = match &now {
            Some(object) => self.objects.insert(name.clone(), Arc::clone(object)),
            None => self.objects.remove(name),
        };
        step.moved.push(Moved {
            name: name.clone(),
            before,
            now,
        });
    }

    /// The names of all objects.
    pub fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.objects.keys()
    }
}
