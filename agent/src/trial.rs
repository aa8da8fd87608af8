//! Who is to blame when a proxy refuses a resource that is made of many objects, such as a port's listener or a part of the
//! table. All that changed since the proxies took it last is taken back, so that they take it again; then it is given back by
//! halves. The object with which it is refused again is held back until it changes, and everybody else's changes go on.
//!
//! A pure state machine: the engine does what it says, and tells it what proxies make of that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealgate_model::store::Moved;
use sealgate_model::{Kind, Object, ObjectRef};

use crate::snapshot::{ResourceKey, TypeUrl};

/// How often it is looked whether the proxies have answered.
const POLL: Duration = Duration::from_millis(10);
/// After so long without an answer, what is tried counts as taken.
const PATIENCE: Duration = Duration::from_secs(2);
/// With more changed objects than this at once, nobody is looked for: these are a first list.
const MANY: usize = 500;

/// What the connected proxies make of a resource as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reception {
    /// All of them have it.
    Taken,
    /// One refuses it, for this reason, and goes on with an older version: whose changes are part of it wait.
    Refused(String),
    /// One refuses it, for this reason, and never had it: nobody is served by it who could be harmed.
    NeverTaken(String),
    /// Not all of them have answered.
    Pending,
}

/// What the store is to hold of an object from now on; none is none of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Swap {
    pub(crate) name: ObjectRef,
    pub(crate) to: Option<Arc<Object>>,
}

/// An object whose newest version is not served.
#[derive(Debug)]
struct HeldBack {
    newest: Arc<Object>,
    former: Option<Arc<Object>>,
    /// Why, once it is known that it is to blame.
    verdict: Option<(ResourceKey, String)>,
}

/// A resource whose objects are tried.
#[derive(Debug)]
struct ObjectTrial {
    /// Objects that are still to be tried, in groups.
    groups: Vec<Vec<ObjectRef>>,
    /// Those that are being tried; none are while the resource is served without.
    current: Vec<ObjectRef>,
    /// When the answer is no longer waited for.
    until: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    /// Objects that changed since all proxies took a resource, each as it was then.
    since: BTreeMap<ResourceKey, BTreeMap<ObjectRef, Option<Arc<Object>>>>,
    trials: BTreeMap<ResourceKey, ObjectTrial>,
    held_back: BTreeMap<ObjectRef, HeldBack>,
}

impl Trials {
    /// Whether this is a version that is held back; another one is news, and is not.
    pub(crate) fn holds_back(&mut self, name: &ObjectRef, object: Option<&Object>) -> bool {
        let Some(held) = self.held_back.get(name) else {
            return false;
        };
        let is_same = object.is_some_and(|object| *held.newest == *object);
        if !is_same {
            self.release(name);
        }
        is_same
    }

    fn release(&mut self, name: &ObjectRef) -> Option<HeldBack> {
        for trial in self.trials.values_mut() {
            trial.current.retain(|own| own != name);
            trial
                .groups
                .iter_mut()
                .for_each(|group| group.retain(|own| own != name));
        }
        self.held_back.remove(name)
    }

    /// These objects changed these resources; says what is to be taken back at once, because the resource is being tried.
    pub(crate) fn note(&mut self, resources: &[(ResourceKey, Reception)], moved: &[Moved]) -> Vec<Swap> {
        let mut swaps = Vec::new();
        let moved: Vec<_> = moved.iter().filter(|moved| may_be_blamed(&moved.name)).collect();
        for (key, reception) in resources {
            let since = self.since.entry(key.clone()).or_default();
            if moved.len() > MANY || *reception == Reception::Taken {
                since.clear();
            }
            if moved.len() > MANY {
                continue;
            }
            for moved in &moved {
                since
                    .entry(moved.name.clone())
                    .or_insert_with(|| moved.before.clone());
            }
            if self.trials.contains_key(key) {
                let names: Vec<_> = moved.iter().map(|moved| moved.name.clone()).collect();
                swaps.extend(moved.iter().filter_map(|moved| {
                    self.hold_back(&moved.name, moved.now.as_ref()?, moved.before.clone())
                }));
                if let Some(trial) = self.trials.get_mut(key) {
                    trial.groups.insert(0, names);
                }
            }
        }
        swaps
    }

    fn hold_back(
        &mut self,
        name: &ObjectRef,
        newest: &Arc<Object>,
        former: Option<Arc<Object>>,
    ) -> Option<Swap> {
        if self.held_back.contains_key(name) {
            return None;
        }
        let held = HeldBack {
            newest: Arc::clone(newest),
            former: former.clone(),
            verdict: None,
        };
        self.held_back.insert(name.clone(), held);
        Some(Swap {
            name: name.clone(),
            to: former,
        })
    }

    /// A proxy refuses a resource: says what is to be taken back. `newest` is what is served of an object.
    pub(crate) fn refuse(
        &mut self,
        key: &ResourceKey,
        reason: &str,
        newest: impl Fn(&ObjectRef) -> Option<Arc<Object>>,
        now: Instant,
    ) -> Vec<Swap> {
        if self.trials.contains_key(key) {
            return Vec::new();
        }
        let since = self.since.remove(key).unwrap_or_default();
        let mut swaps = Vec::new();
        let mut suspects = Vec::new();
        for (name, former) in since {
            // What is gone by now, or as it was, is no reason.
            let Some(newest) = newest(&name).filter(|newest| former.as_ref() != Some(newest)) else {
                continue;
            };
            if let Some(swap) = self.hold_back(&name, &newest, former) {
                swaps.push(swap);
                suspects.push(name);
            }
        }
        match suspects.as_slice() {
            [] => {}
            [only] => self.convict(only, key, reason),
            _ => {
                let trial = ObjectTrial {
                    groups: halves(suspects),
                    current: Vec::new(),
                    until: now + PATIENCE,
                };
                self.trials.insert(key.clone(), trial);
            }
        }
        swaps
    }

    fn convict(&mut self, name: &ObjectRef, key: &ResourceKey, reason: &str) {
        if let Some(held) = self.held_back.get_mut(name) {
            held.verdict = Some((key.clone(), reason.to_owned()));
        }
    }

    /// Goes on with what is tried, by what the proxies make of it: says what is to be given, or taken back again.
    pub(crate) fn go_on(&mut self, receptions: Vec<(ResourceKey, Reception)>, now: Instant) -> Vec<Swap> {
        let swaps = receptions
            .into_iter()
            .map(|(key, reception)| self.step(&key, reception, now));
        swaps.flatten().collect()
    }

    /// The resources that are being tried.
    pub(crate) fn keys(&self) -> Vec<ResourceKey> {
        self.trials.keys().cloned().collect()
    }

    fn step(&mut self, key: &ResourceKey, reception: Reception, now: Instant) -> Vec<Swap> {
        let Some(trial) = self.trials.get_mut(key) else {
            return Vec::new();
        };
        let reception = match reception {
            Reception::Pending if now >= trial.until => Reception::Taken,
            other => other,
        };
        match reception {
            Reception::Pending => return Vec::new(),
            Reception::Refused(reason) | Reception::NeverTaken(reason) if !trial.current.is_empty() => {
                let current = std::mem::take(&mut trial.current);
                trial.until = now + PATIENCE;
                match current.as_slice() {
                    [only] => self.convict(&only.clone(), key, &reason),
                    _ => trial.groups.extend(halves(current.clone())),
                }
                return current.iter().filter_map(|name| self.taken_back(name)).collect();
            }
            // It is refused without any of them: they are not to blame.
            Reception::Refused(_) | Reception::NeverTaken(_) | Reception::Taken => {
                trial.until = now + PATIENCE;
                for name in std::mem::take(&mut trial.current) {
                    self.held_back.remove(&name);
                }
            }
        }
        self.next_group(key)
    }

    /// Gives the next group back; with none left the trial is over.
    fn next_group(&mut self, key: &ResourceKey) -> Vec<Swap> {
        while let Some(trial) = self.trials.get_mut(key) {
            let Some(group) = trial.groups.pop() else {
                self.trials.remove(key);
                break;
            };
            if !group.is_empty() {
                trial.current.clone_from(&group);
                return group.iter().filter_map(|name| self.given(name)).collect();
            }
        }
        Vec::new()
    }

    fn given(&self, name: &ObjectRef) -> Option<Swap> {
        let held = self.held_back.get(name)?;
        Some(Swap {
            name: name.clone(),
            to: Some(Arc::clone(&held.newest)),
        })
    }

    fn taken_back(&self, name: &ObjectRef) -> Option<Swap> {
        let held = self.held_back.get(name)?;
        Some(Swap {
            name: name.clone(),
            to: held.former.clone(),
        })
    }

    /// The objects that are to blame, each with the resource and the proxy's reason.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = (&ObjectRef, &(ResourceKey, String))> {
        let held = self.held_back.iter();
        held.filter_map(|(name, held)| Some((name, held.verdict.as_ref()?)))
    }

    /// When to call [`Self::go_on`] next.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        (!self.trials.is_empty()).then(|| now + POLL)
    }
}

/// Whether a resource of this kind is made of many objects.
pub(crate) fn is_composite(kind: TypeUrl) -> bool {
    matches!(kind, TypeUrl::Listener | TypeUrl::ExtensionConfig)
}

/// Whether listeners and routes are made of such objects.
fn may_be_blamed(name: &ObjectRef) -> bool {
    matches!(name.kind, Kind::Gateway | Kind::VirtualService)
}

fn halves(mut names: Vec<ObjectRef>) -> Vec<Vec<ObjectRef>> {
    let second = names.split_off(names.len() / 2);
    vec![second, names]
}

#[cfg(test)]
mod tests;
