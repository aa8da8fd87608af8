//! The objects as they stand: of each the last good version. Credentials are the agent's, which can read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::Code;
use crate::SourceObject;
use crate::budget::{BudgetPolicy, Cost, Excess, Usage, cost};
use crate::parts;
use crate::stand_in;
use crate::validate;
use crate::{Finding, Severity};
use crate::{Kind, Object, ObjectRef};

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
    objects: OrdMap<ObjectRef, Arc<Object>>,
    policy: BudgetPolicy,
    usage: Usage,
    /// Objects that are good, and beyond a budget.
    waiting: BTreeMap<ObjectRef, Waiting>,
    /// Whether somebody uses less than before, since the last time.
    freed: bool,
    /// Objects of which another version is served than their source has, with the latter if it can be read.
    kept: BTreeMap<ObjectRef, Option<Arc<Object>>>,
    /// What is served of them, where that is new since the last time; none if it is no other any more.
    kept_anew: BTreeMap<ObjectRef, Option<Arc<Object>>>,
    /// Objects for which a stand-in is served: nothing of them ever was.
    closed: BTreeSet<ObjectRef>,
    /// Those of them whose stand-in is charged to nobody: there is no room for the object, and its TLS must not be lost.
    unpaid: OrdSet<ObjectRef>,
    is_unchecked: bool,
}

/// An object that waits for room in a budget.
#[derive(Debug)]
struct Waiting {
    /// What of it is to be served.
    object: Arc<Object>,
    /// As its source has it.
    source: Arc<Object>,
    cost: Cost,
    /// Whether it is what stands for an object that is refused.
    is_stand_in: bool,
    /// What else is said of it.
    said: Vec<Finding>,
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
    /// An empty one.
    #[must_use]
    pub fn new(policy: BudgetPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// All objects, in order.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.values()
    }

    /// The same by name; a clone costs nothing.
    #[must_use]
    pub fn by_name(&self) -> &OrdMap<ObjectRef, Arc<Object>> {
        &self.objects
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
            Some(object) => {
                let object = Arc::new(object);
                self.judge(object_ref.clone(), Arc::clone(&object), findings, step);
                self.keep(&object_ref, Some(&object));
            }
            None => {
                self.waiting.remove(&object_ref);
                self.keep(&object_ref, None);
                step.say(object_ref, findings);
            }
        }
    }

    /// The file of an object cannot be read: what is served of the object, and said, stands.
    pub fn hold(&mut self, name: &ObjectRef) {
        // What waits for room is not what its source has now, as far as anybody knows.
        self.waiting.remove(name);
        self.keep(name, None);
    }

    /// The source has this version of an object, or none that can be read.
    fn keep(&mut self, name: &ObjectRef, source: Option<&Arc<Object>>) {
        // Nearly always it is the very object, which is not to be compared with itself.
        let is_source = |served: &Arc<Object>| {
            source.is_some_and(|source| Arc::ptr_eq(served, source) || served == source)
        };
        let was_kept = self.kept.contains_key(name);
        let is_closed = self.closed.contains(name);
        // What an agent before this one kept stays kept, also if a part of it is all that is served.
        if is_closed && was_kept && source.is_none() {
            return;
        }
        // A stand-in is made anew from what the source has, if that can be read.
        let is_remade = is_closed && source.is_some();
        let served = self
            .objects
            .get(name)
            .filter(|served| !is_source(served) && !is_remade);
        if let Some(served) = served {
            self.kept.insert(name.clone(), source.cloned());
            self.kept_anew.insert(name.clone(), Some(Arc::clone(served)));
        } else if was_kept {
            self.kept.remove(name);
            self.kept_anew.insert(name.clone(), None);
        }
    }

    /// What is served of objects whose source has another version, where that is new since the last time: none if it has no
    /// other any more.
    pub fn take_kept(&mut self) -> BTreeMap<ObjectRef, Option<Arc<Object>>> {
        std::mem::take(&mut self.kept_anew)
    }

    /// Serves objects that an agent before this one kept, until the source says what it has. What is not good any more is
    /// left out, or has a stand-in.
    pub fn remember(&mut self, kept: Vec<SourceObject>, step: &mut Judged) {
        for SourceObject {
            object_ref,
            object,
            mut findings,
        } in kept
        {
            let Some(object) = object.map(Arc::new) else {
                continue;
            };
            findings.extend(validate::object(&object));
            let admitted = parts::admitted(&object, None, &mut findings);
            self.kept.insert(object_ref.clone(), None);
            let is_refused = admitted.is_none();
            let admitted = admitted.or_else(|| stand_in::of(&object, &mut findings));
            let Some(object) = admitted else { continue };
            if is_refused {
                self.closed.insert(object_ref.clone());
            }
            if self.admits(&object_ref, cost(&object)).is_ok() {
                self.replace(&object_ref, Some(object), step);
            } else if let Some(tls) = stand_in::without_room(&object) {
                self.closed.insert(object_ref.clone());
                self.replace_unpaid(&object_ref, tls, step);
            }
        }
    }

    /// One that takes objects as they are: for tests of what follows when a proxy refuses what was checked.
    #[must_use]
    pub fn without_checks() -> Self {
        Self {
            is_unchecked: true,
            ..Self::default()
        }
    }

    /// As the source has it: the version of which the one that is served was made.
    #[must_use]
    pub fn source(&self, name: &ObjectRef) -> Option<&Arc<Object>> {
        match self.kept.get(name) {
            Some(source) => source.as_ref(),
            None => self.objects.get(name),
        }
    }

    /// Serves this version of an object, though its source has another one.
    pub fn put(
        &mut self,
        name: &ObjectRef,
        now: Option<Arc<Object>>,
        source: &Arc<Object>,
        step: &mut Judged,
    ) {
        self.replace(name, now, step);
        self.keep(name, Some(source));
    }

    /// What is served of an object stands for one for which an agent has no room, and is charged to nobody.
    pub fn unpay(&mut self, name: &ObjectRef, step: &mut Judged) {
        if let Some(stand_in) = self.objects.get(name).cloned() {
            self.closed.insert(name.clone());
            self.replace_unpaid(name, stand_in, step);
        }
    }

    /// What is served of an object from now on is a version of it.
    pub fn reopen(&mut self, name: &ObjectRef) {
        self.closed.remove(name);
    }

    /// The objects that are charged to nobody, for there is no room for them; a clone costs nothing.
    #[must_use]
    pub fn unpaid(&self) -> &OrdSet<ObjectRef> {
        &self.unpaid
    }

    fn judge(&mut self, name: ObjectRef, object: Arc<Object>, mut findings: Vec<Finding>, step: &mut Judged) {
        if !self.is_unchecked {
            let unread = parts::broken(name.kind, &findings);
            let found = validate::object(&object).into_iter();
            findings.extend(found.filter(|finding| !parts::is_of(finding, &unread)));
        }
        self.waiting.remove(&name);
        let was_closed = self.closed.contains(&name);
        let admitted = self.admitted(&name, &object, &mut findings);
        let paid = self.objects.get(&name).filter(|_| !self.unpaid.contains(&name));
        if let Some(admitted) = admitted.filter(|admitted| paid != Some(admitted)) {
            let cost = cost(&admitted);
            match self.admits(&name, cost) {
                Ok(()) => self.replace(&name, Some(admitted), step),
                Err(excess) => {
                    let waiting = Waiting {
                        object: admitted,
                        source: object,
                        cost,
                        is_stand_in: self.closed.contains(&name),
                        said: findings.clone(),
                    };
                    findings.push(self.wait(&name, waiting, was_closed, &excess, step));
                }
            }
        }
        step.say(name, findings);
    }

    /// What is served of an object from now on, if that changes; with what becomes of each error.
    fn admitted(
        &mut self,
        name: &ObjectRef,
        object: &Arc<Object>,
        findings: &mut [Finding],
    ) -> Option<Arc<Object>> {
        let was_closed = self.closed.remove(name);
        let former = self.objects.get(name).filter(|_| !was_closed);
        let admitted = parts::admitted(object, former.map(|former| &**former), findings);
        if admitted.is_some() || former.is_some() {
            return admitted;
        }
        let stand_in = stand_in::of(object, findings);
        if was_closed || stand_in.is_some() {
            self.closed.insert(name.clone());
        }
        stand_in
    }

    /// Whether there is room for an object in the budget of its namespace.
    fn admits(&self, name: &ObjectRef, now: Cost) -> Result<(), Excess> {
        if !self.policy.tenants.is_tenant(&name.namespace) {
            return Ok(());
        }
        let change = (self.charged(name), now);
        self.usage.admits(&self.policy.budgets, &name.namespace, change)
    }

    /// An object waits for room, and what is served of it stays. If no version of it is, its TLS stands. Gives what is to be
    /// said of it.
    fn wait(
        &mut self,
        name: &ObjectRef,
        waiting: Waiting,
        was_closed: bool,
        excess: &Excess,
        step: &mut Judged,
    ) -> Finding {
        let is_served = self.objects.contains_key(name);
        let has_version = is_served && !was_closed;
        let tls = match has_version {
            true => None,
            false => stand_in::without_room(&waiting.object),
        };
        let served = match name.kind {
            _ if has_version => "; the last good version stays in use",
            Kind::DestinationRule if is_served || tls.is_some() => "; only its TLS settings apply",
            _ if is_served => "; its hosts answer 503",
            _ => "",
        };
        // What is served is no version of it.
        if was_closed || tls.is_some() {
            self.closed.insert(name.clone());
        }
        self.waiting.insert(name.clone(), waiting);
        if let Some(tls) = tls {
            self.replace_unpaid(name, tls, step);
        }
        Finding {
            severity: Severity::Error,
            code: Code::OverBudget,
            object: name.clone(),
            field: None,
            message: format!("{excess}{served}"),
        }
    }

    /// Forgets an object.
    pub fn delete(&mut self, name: &ObjectRef, step: &mut Judged) {
        step.delete(name);
        self.waiting.remove(name);
        self.closed.remove(name);
        if self.kept.remove(name).is_some() {
            self.kept_anew.insert(name.clone(), None);
        }
        if self.objects.contains_key(name) {
            self.replace(name, None, step);
        }
    }

    fn replace(&mut self, name: &ObjectRef, now: Option<Arc<Object>>, step: &mut Judged) {
        self.charge(name, now.as_deref());
        self.unpaid.remove(name);
        self.serve(name, now, step);
    }

    /// Serves what stands for an object for which there is no room.
    fn replace_unpaid(&mut self, name: &ObjectRef, stand_in: Arc<Object>, step: &mut Judged) {
        self.charge(name, None);
        self.unpaid.insert(name.clone());
        self.serve(name, Some(stand_in), step);
    }

    /// What a namespace is charged for an object that is served.
    fn charged(&self, name: &ObjectRef) -> Cost {
        let paid = self.objects.get(name).filter(|_| !self.unpaid.contains(name));
        paid.map(|own| cost(own)).unwrap_or_default()
    }

    /// A namespace is charged for this in place of what is served until now.
    fn charge(&mut self, name: &ObjectRef, now: Option<&Object>) {
        if self.policy.tenants.is_tenant(&name.namespace) {
            let (before, now) = (self.charged(name), now.map(cost).unwrap_or_default());
            self.freed |= before.is_more_of_some(now);
            self.usage.change(&name.namespace, before, now);
        }
    }

    fn serve(&mut self, name: &ObjectRef, now: Option<Arc<Object>>, step: &mut Judged) {
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

    /// Takes the objects for which there is room now, once the changes of a step are known.
    pub fn settle(&mut self, step: &mut Judged) {
        if !std::mem::take(&mut self.freed) {
            return;
        }
        let names: Vec<_> = self.waiting.keys().cloned().collect();
        for name in names {
            let Some(cost) = self.waiting.get(&name).map(|waiting| waiting.cost) else {
                continue;
            };
            if self.admits(&name, cost).is_ok()
                && let Some(Waiting {
                    object,
                    source,
                    is_stand_in,
                    said,
                    ..
                }) = self.waiting.remove(&name)
            {
                if !is_stand_in {
                    self.closed.remove(&name);
                }
                step.say(name.clone(), said);
                self.replace(&name, Some(object), step);
                self.keep(&name, Some(&source));
            }
        }
    }

    /// What namespaces use of their budgets.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The namespaces that use more or less than before, since the last time.
    pub fn take_charged(&mut self) -> OrdSet<Arc<str>> {
        self.usage.take_moved()
    }

    /// A namespace's first object of a kind.
    #[must_use]
    pub fn first(&self, kind: Kind, namespace: &Arc<str>) -> Option<ObjectRef> {
        let from = ObjectRef::new(kind, Arc::clone(namespace), "");
        let (name, _) = self.objects.range(from..).next()?;
        (name.kind == kind && name.namespace == *namespace).then(|| name.clone())
    }

    /// The names of all objects, also of those that wait or are kept.
    pub fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.objects
            .keys()
            .chain(self.waiting.keys())
            .chain(self.kept.keys())
    }
}
