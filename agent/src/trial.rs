//! Who is to blame when a proxy refuses a resource that is made of many objects, such as a port's listener or a part of the
//! table. All that changed since the proxies took it last is taken back, so that they take it again; then it is given back by
//! halves. Where no proxy ever had it, it may be gone meanwhile; then who is to blame is known once it was taken with others. The object with which it is refused again is held back until it changes, and everybody else's changes go on.
//!
//! A pure state machine: the engine does what it says, and tells it what proxies make of that.

mod held;
mod reception;

pub use self::held::Blame;
pub(crate) use self::held::Conviction;
pub use self::reception::Reception;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealgate_model::store::Moved;
use sealgate_model::{Kind, Object, ObjectRef};

use self::held::HeldBack;
use crate::snapshot::{ResourceKey, TypeUrl};

/// How often it is looked whether the proxies have answered.
const POLL: Duration = Duration::from_millis(10);
/// After so long without an answer, what is tried counts as taken.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who is to blame is tried again after so long, then after twice as long, and so on: what a proxy refused may have been
/// the machine's fault, or an older proxy's.
const RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_secs(600);
/// After a trial that found nobody, no other one is begun for so long.
const REST: Duration = Duration::from_secs(10);
/// With more changed objects than this at once, nobody is looked for: these are a first list.
const MANY: usize = 5_000;

/// What the store is to hold of an object from now on; none is none of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Swap {
    pub(crate) name: ObjectRef,
    pub(crate) to: Option<Arc<Object>>,
    /// What its source has.
    pub(crate) source: Arc<Object>,
}

/// The newest version of an object.
#[derive(Clone, Debug)]
pub(crate) struct NewestVersion {
    /// As it is served: what of it is good.
    pub(crate) served: Arc<Object>,
    /// As its source has it.
    pub(crate) source: Arc<Object>,
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
    /// Those that were found to be to blame.
    convicted: Vec<ObjectRef>,
    /// Whether proxies took the resource meanwhile, as it was then: it is not refused whatever it holds.
    was_taken: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    /// Objects that changed since all proxies took a resource, each as it was then.
    since: BTreeMap<ResourceKey, BTreeMap<ObjectRef, Option<Arc<Object>>>>,
    trials: BTreeMap<ResourceKey, ObjectTrial>,
    held_back: BTreeMap<ObjectRef, HeldBack>,
    /// Until when no trial of a resource is begun.
    rests: BTreeMap<ResourceKey, Instant>,
}

impl Trials {
    /// Whether this is a version that is held back; another one is news, and is not.
    pub(crate) fn holds_back(&mut self, name: &ObjectRef, object: Option<&Object>) -> bool {
        let Some(held) = self.held_back.get(name) else {
            return false;
        };
        let is_same = object.is_some_and(|object| *held.newest.source == *object);
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
    /// `newest` is the newest version of an object.
    pub(crate) fn note(
        &mut self,
        resources: &[(ResourceKey, Reception)],
        moved: &[Moved],
        newest: impl Fn(&ObjectRef) -> Option<NewestVersion>,
    ) -> Vec<Swap> {
        let mut swaps = Vec::new();
        let moved: Vec<_> = moved.iter().filter(|moved| may_be_blamed(&moved.name)).collect();
        for (key, reception) in resources {
            let since = self.since.entry(key.clone()).or_default();
            if matches!(reception, Reception::Taken | Reception::Absent) {
                since.clear();
            }
            for moved in moved.iter().filter(|_| moved.len() <= MANY) {
                since
                    .entry(moved.name.clone())
                    .or_insert_with(|| moved.before.clone());
            }
            if since.len() > MANY {
                since.clear();
            }
            if self.trials.contains_key(key) {
                let names: Vec<_> = moved.iter().map(|moved| moved.name.clone()).collect();
                swaps.extend(moved.iter().filter_map(|moved| {
                    self.hold_back(&moved.name, newest(&moved.name)?, moved.before.clone())
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
        newest: NewestVersion,
        former: Option<Arc<Object>>,
    ) -> Option<Swap> {
        if self.held_back.contains_key(name) {
            return None;
        }
        let source = Arc::clone(&newest.source);
        let held = HeldBack {
            newest,
            former: former.clone(),
            verdict: None,
            wait: RETRY,
            blame: None,
        };
        self.held_back.insert(name.clone(), held);
        Some(Swap {
            name: name.clone(),
            to: former,
            source,
        })
    }

    /// An object that was held back by an agent before this one is so here too: says what is to be taken back.
    pub(crate) fn resume(
        &mut self,
        name: &ObjectRef,
        newest: NewestVersion,
        former: Option<Arc<Object>>,
        blame: Blame,
        now: Instant,
    ) -> Option<Swap> {
        let swap = self.hold_back(name, newest, former)?;
        if let Some(held) = self.held_back.get_mut(name) {
            held.wait = LONGEST_RETRY;
        }
        self.convict(name, &blame.resource, blame.reason, now);
        Some(swap)
    }

    /// A proxy refuses a resource, or would for sure: says what is to be taken back. `newest` is the newest version of an object.
    pub(crate) fn refuse(
        &mut self,
        key: &ResourceKey,
        is_sure: bool,
        newest: impl Fn(&ObjectRef) -> Option<NewestVersion>,
        now: Instant,
    ) -> Vec<Swap> {
        if self.trials.contains_key(key) || self.rests.get(key).is_some_and(|until| now < *until) {
            return Vec::new();
        }
        let since = self.since.remove(key).unwrap_or_default();
        let mut swaps = Vec::new();
        let mut suspects = Vec::new();
        for (name, former) in since {
            // What is gone by now, or as it was, is no reason.
            let Some(newest) = newest(&name).filter(|newest| former.as_ref() != Some(&newest.served)) else {
                continue;
            };
            if let Some(swap) = self.hold_back(&name, newest, former) {
                swaps.push(swap);
                suspects.push(name);
            }
        }
        if !suspects.is_empty() {
            self.trials
                .insert(key.clone(), ObjectTrial::new(halves(suspects), is_sure, now));
        }
        swaps
    }

    fn convict(&mut self, name: &ObjectRef, key: &ResourceKey, reason: String, now: Instant) {
        if let Some(held) = self.held_back.get_mut(name) {
            held.blame = Some(Blame {
                resource: key.clone(),
                reason: reason.clone(),
            });
            held.verdict = Some(Conviction {
                resource: key.clone(),
                reason,
                until: now + held.wait,
            });
            held.wait = (held.wait * 2).min(LONGEST_RETRY);
        }
    }

    /// Tries those again whose verdict has stood for long enough, if the resource is taken without them.
    fn retry(&mut self, key: &ResourceKey, is_taken: bool, now: Instant) {
        let held_back = self.held_back.iter_mut();
        let due = held_back.filter(|(_, held)| held.is_due(now).is_some_and(|own| own == key));
        let mut names = Vec::new();
        for (name, held) in due {
            match &mut held.verdict {
                Some(verdict) if !is_taken => verdict.until = now + RETRY,
                verdict => {
                    *verdict = None;
                    names.push(vec![name.clone()]);
                }
            }
        }
        if !names.is_empty() {
            // It was refused with them before, when it was taken with others or without.
            self.trials
                .insert(key.clone(), ObjectTrial::new(names, true, now));
        }
    }

    /// Goes on with what is tried, by what the proxies make of it: says what is to be given, or taken back again.
    pub(crate) fn go_on(&mut self, receptions: Vec<(ResourceKey, Reception)>, now: Instant) -> Vec<Swap> {
        let mut swaps = Vec::new();
        for (key, reception) in receptions {
            if self.trials.contains_key(&key) {
                swaps.extend(self.step(&key, reception, now));
            } else {
                let is_taken = matches!(reception, Reception::Taken | Reception::Absent);
                self.retry(&key, is_taken, now);
            }
        }
        swaps
    }

    /// The resources of which it has to know what proxies make of them.
    pub(crate) fn keys(&self, now: Instant) -> Vec<ResourceKey> {
        let due = self.held_back.values().filter_map(|held| held.is_due(now));
        let all: BTreeSet<_> = self.trials.keys().chain(due).cloned().collect();
        all.into_iter().collect()
    }

    fn step(&mut self, key: &ResourceKey, reception: Reception, now: Instant) -> Vec<Swap> {
        let Some(trial) = self.trials.get_mut(key) else {
            return Vec::new();
        };
        match reception {
            Reception::Pending if now < trial.until => return Vec::new(),
            Reception::Refused(reason) | Reception::NeverTaken(reason) | Reception::Unfit(reason)
                if !trial.current.is_empty() =>
            {
                let current = std::mem::take(&mut trial.current);
                trial.until = now + PATIENCE;
                match current.as_slice() {
                    [only] => {
                        trial.convicted.push(only.clone());
                        self.convict(only, key, reason, now);
                    }
                    _ => trial.groups.extend(halves(current.clone())),
                }
                return current.iter().filter_map(|name| self.taken_back(name)).collect();
            }
            // It is refused without any of them: they are not to blame.
            Reception::Refused(reason) | Reception::NeverTaken(reason) | Reception::Unfit(reason) => {
                return self.acquit(key, &reason, now);
            }
            // Without it nothing is said of them: they are tried along with the next ones.
            Reception::Absent => {
                trial.until = now + PATIENCE;
                let current = std::mem::take(&mut trial.current);
                match trial.groups.last_mut() {
                    Some(next) => next.extend(current),
                    None => current.iter().for_each(|name| self.suspect_on(key, name)),
                }
            }
            Reception::Taken => {
                trial.until = now + PATIENCE;
                trial.was_taken = true;
                for name in std::mem::take(&mut trial.current) {
                    self.held_back.remove(&name);
                }
            }
            // Nobody answers: what is being tried stays, and is suspected again should a refusal still come.
            Reception::Pending | Reception::Nobody => {
                trial.until = now + PATIENCE;
                for name in std::mem::take(&mut trial.current) {
                    self.suspect_on(key, &name);
                }
            }
        }
        self.next_group(key, now)
    }

    /// It is held back no more, and one of those that changed since the resource was taken last.
    fn suspect_on(&mut self, key: &ResourceKey, name: &ObjectRef) {
        if let Some(held) = self.held_back.remove(name) {
            let since = self.since.entry(key.clone()).or_default();
            since.entry(name.clone()).or_insert(held.former);
        }
    }

    /// Gives all that is tried back, and ends. Who was found to be to blame before stays so.
    fn acquit(&mut self, key: &ResourceKey, reason: &str, now: Instant) -> Vec<Swap> {
        let Some(trial) = self.trials.remove(key) else {
            return Vec::new();
        };
        let mut swaps = self.pardon(key, &trial, now);
        self.rests.insert(key.clone(), now + REST);
        for name in trial.groups.into_iter().flatten() {
            if self.held_back.get(&name).is_some_and(|held| held.wait > RETRY) {
                self.convict(&name, key, reason.to_owned(), now);
            } else {
                swaps.extend(self.given(&name));
                self.suspect_on(key, &name);
            }
        }
        swaps
    }

    /// Gives back those that were found to be to blame for what is refused whatever it holds, as far as anybody knows.
    fn pardon(&mut self, key: &ResourceKey, trial: &ObjectTrial, now: Instant) -> Vec<Swap> {
        if trial.was_taken || trial.convicted.is_empty() {
            return Vec::new();
        }
        self.rests.insert(key.clone(), now + REST);
        let names = trial.convicted.iter();
        let swaps = names.clone().filter_map(|name| self.given(name)).collect();
        names.for_each(|name| self.suspect_on(key, name));
        swaps
    }

    /// Gives the next group back; with none left the trial is over.
    fn next_group(&mut self, key: &ResourceKey, now: Instant) -> Vec<Swap> {
        while let Some(trial) = self.trials.get_mut(key) {
            let Some(group) = trial.groups.pop() else {
                let trial = self.trials.remove(key);
                return trial.map_or_else(Vec::new, |trial| self.pardon(key, &trial, now));
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
            to: Some(Arc::clone(&held.newest.served)),
            source: Arc::clone(&held.newest.source),
        })
    }

    fn taken_back(&self, name: &ObjectRef) -> Option<Swap> {
        let held = self.held_back.get(name)?;
        Some(Swap {
            name: name.clone(),
            to: held.former.clone(),
            source: Arc::clone(&held.newest.source),
        })
    }

    /// The objects that are to blame, each with the resource and the proxy's reason.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = (&ObjectRef, &Conviction)> {
        let held = self.held_back.iter();
        held.filter_map(|(name, held)| Some((name, held.verdict.as_ref()?)))
    }

    /// The objects that are held back because they are to blame, as their sources have them.
    pub(crate) fn blamed(&self) -> impl Iterator<Item = (&ObjectRef, &Arc<Object>, &Blame)> {
        let held = self.held_back.iter();
        held.filter_map(|(name, held)| Some((name, &held.newest.source, held.blame.as_ref()?)))
    }

    /// When to call [`Self::go_on`] next.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        if !self.trials.is_empty() {
            return Some(now + POLL);
        }
        self.verdicts().map(|(_, verdict)| verdict.until).min()
    }
}

impl ObjectTrial {
    fn new(groups: Vec<Vec<ObjectRef>>, was_taken: bool, now: Instant) -> Self {
        Self {
            groups,
            current: Vec::new(),
            until: now + PATIENCE,
            convicted: Vec::new(),
            was_taken,
        }
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

/// Two groups of one.
fn halves(mut names: Vec<ObjectRef>) -> Vec<Vec<ObjectRef>> {
    let second = names.split_off(names.len() / 2);
    vec![second, names]
}

#[cfg(test)]
mod tests;
