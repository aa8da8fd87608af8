//! The proxies of these tests refuse a listener as long as one of the bad objects is part of it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sealgate_core::config::GatewaySpec;
use sealgate_model::Meta;

use super::*;

fn name(at: usize) -> ObjectRef {
    ObjectRef::new(Kind::Gateway, "a", format!("g{at}"))
}

fn object(at: usize, version: usize) -> Arc<Object> {
    let meta = Meta {
        name: format!("g{at}").into(),
        labels: BTreeMap::from([("version".to_owned(), version.to_string())]),
        ..Meta::default()
    };
    Arc::new(Object::Gateway(Arc::new(meta), Arc::new(GatewaySpec::default())))
}

fn key() -> ResourceKey {
    (TypeUrl::Listener, "gateway-443".into())
}

fn newest(served: &BTreeMap<ObjectRef, Arc<Object>>, name: &ObjectRef) -> Option<NewestVersion> {
    let served = Arc::clone(served.get(name)?);
    Some(NewestVersion {
        source: Arc::clone(&served),
        served,
    })
}

/// A store, and proxies that answer at once.
#[derive(Default)]
struct Stage {
    /// Proxies never had the listener: without objects it is not there.
    is_new: bool,
    /// Whatever it holds, they refuse it.
    is_unbound: bool,
    trials: Trials,
    served: BTreeMap<ObjectRef, Arc<Object>>,
    /// Versions that no proxy takes.
    bad: BTreeSet<(usize, usize)>,
}

impl Stage {
    fn is_bad(&self) -> bool {
        let bad = self
            .bad
            .iter()
            .map(|(at, version)| (name(*at), object(*at, *version)));
        let is_unbound = self.is_unbound && !self.served.is_empty();
        is_unbound
            || bad
                .into_iter()
                .any(|(name, object)| self.served.get(&name) == Some(&object))
    }

    fn reception(&self) -> Reception {
        match (self.is_bad(), self.is_new) {
            (true, true) => Reception::NeverTaken("no".to_owned()),
            (true, false) => Reception::Refused("no".to_owned()),
            (false, true) if self.served.is_empty() => Reception::Absent,
            (false, _) => Reception::Taken,
        }
    }

    fn swap(&mut self, swaps: Vec<Swap>) {
        for swap in swaps {
            match swap.to {
                Some(to) => drop(self.served.insert(swap.name, to)),
                None => drop(self.served.remove(&swap.name)),
            }
        }
    }

    /// What the source says at once.
    fn write(&mut self, versions: &[(usize, usize)]) {
        let before = self.reception();
        let mut moved = Vec::new();
        for (at, version) in versions {
            let (name, object) = (name(*at), object(*at, *version));
            if !self.trials.holds_back(&name, Some(&object)) {
                let before = self.served.insert(name.clone(), Arc::clone(&object));
                moved.push(Moved {
                    name,
                    before,
                    now: Some(object),
                });
            }
        }
        let served = self.served.clone();
        let swaps = self
            .trials
            .note(&[(key(), before)], &moved, |name| newest(&served, name));
        self.swap(swaps);
    }

    /// The proxies answer until nothing is tried any more; gives how often they refused.
    fn answer(&mut self) -> usize {
        let now = Instant::now();
        let mut refusals = 0;
        for _ in 0..10_000 {
            let is_bad = self.is_bad();
            refusals += usize::from(is_bad);
            if is_bad {
                let served = self.served.clone();
                let swaps = self
                    .trials
                    .refuse(&key(), false, |name| newest(&served, name), now);
                self.swap(swaps);
            }
            if self.trials.keys(now).is_empty() && (!self.is_bad() || self.trials.rests.contains_key(&key()))
            {
                return refusals;
            }
            let swaps = self.trials.go_on(vec![(key(), self.reception())], now);
            self.swap(swaps);
        }
        panic!("it goes on for ever");
    }

    /// One look at what the proxies say.
    fn tick(&mut self, now: Instant) {
        let keys = self.trials.keys(now).into_iter();
        let receptions = keys.map(|key| (key, self.reception())).collect();
        let swaps = self.trials.go_on(receptions, now);
        self.swap(swaps);
    }

    fn guilty(&self) -> BTreeSet<ObjectRef> {
        self.trials.verdicts().map(|(name, _)| name.clone()).collect()
    }
}

proptest! {
    #[test]
    fn exactly_the_bad_ones_are_held_back(count in 1..40_usize, bad in prop::collection::btree_set(0..40_usize, 0..4)) {
        let mut stage = Stage::default();
        stage.write(&(0..count).map(|at| (at, 0)).collect::<Vec<_>>());
        prop_assert_eq!(stage.answer(), 0);
        stage.bad = bad.iter().map(|at| (*at, 1)).collect();
        stage.write(&(0..count).map(|at| (at, 1)).collect::<Vec<_>>());
        let refusals = stage.answer();
        let guilty: BTreeSet<_> = bad.iter().filter(|at| **at < count).map(|at| name(*at)).collect();
        prop_assert_eq!(stage.guilty(), guilty.clone());
        prop_assert!(refusals <= 1 + guilty.len() * 8, "{} refusals for {:?}", refusals, guilty);
        for at in 0..count {
            let version = usize::from(!bad.contains(&at));
            prop_assert_eq!(stage.served.get(&name(at)), Some(&object(at, version)), "object {}", at);
        }
    }
}

#[test]
fn who_comes_in_the_middle_of_a_trial_is_tried_in_turn() {
    let mut stage = Stage::default();
    stage.write(&[(0, 0), (1, 0)]);
    stage.answer();
    stage.bad = BTreeSet::from([(0, 1), (2, 0)]);
    stage.write(&[(0, 1), (1, 1)]);
    let served = stage.served.clone();
    let swaps = stage
        .trials
        .refuse(&key(), false, |name| newest(&served, name), Instant::now());
    stage.swap(swaps);
    assert!(!stage.is_bad(), "all of it is taken back");
    stage.write(&[(2, 0), (3, 0)]);
    assert!(!stage.is_bad(), "what comes meanwhile waits");
    stage.answer();
    assert_eq!(stage.guilty(), BTreeSet::from([name(0), name(2)]));
    let expected = [(0, 0), (1, 1), (3, 0)].map(|(at, version)| (name(at), object(at, version)));
    assert_eq!(stage.served, BTreeMap::from(expected));
}

#[test]
fn a_verdict_ends_when_the_object_changes_or_goes() {
    let mut stage = Stage::default();
    stage.write(&[(0, 0)]);
    stage.bad = BTreeSet::from([(0, 1)]);
    stage.write(&[(0, 1)]);
    stage.answer();
    assert_eq!(stage.guilty(), BTreeSet::from([name(0)]));
    // The same again is no news.
    stage.write(&[(0, 1)]);
    assert_eq!(stage.served.get(&name(0)), Some(&object(0, 0)));
    stage.write(&[(0, 2)]);
    stage.answer();
    assert!(stage.guilty().is_empty());
    assert_eq!(stage.served.get(&name(0)), Some(&object(0, 2)));
}

#[test]
fn a_verdict_is_looked_at_again_and_stands_longer_each_time() {
    let mut stage = Stage::default();
    stage.write(&[(0, 0)]);
    stage.bad = BTreeSet::from([(0, 1)]);
    stage.write(&[(0, 1)]);
    stage.answer();
    let mut now = Instant::now();
    let mut waits = Vec::new();
    for _ in 0..3 {
        let due = stage.trials.next_deadline(now).unwrap();
        waits.push(due.duration_since(now).as_secs());
        now = due;
        stage.tick(now);
        stage.tick(now);
        assert!(stage.is_bad(), "it is tried again");
        // It is refused, and served without.
        stage.tick(now);
        stage.tick(now);
        assert_eq!(stage.guilty(), BTreeSet::from([name(0)]));
        assert_eq!(stage.served.get(&name(0)), Some(&object(0, 0)));
    }
    assert!(waits[0] <= 10 && waits[1] >= 19 && waits[2] >= 39, "{waits:?}");
    // The machine is well again.
    stage.bad.clear();
    now = stage.trials.next_deadline(now).unwrap();
    (0..3).for_each(|_| stage.tick(now));
    assert!(stage.guilty().is_empty());
    assert_eq!(stage.served.get(&name(0)), Some(&object(0, 1)));
}

/// Proxies refuse the listener whatever it holds: its address is another program's.
#[test]
fn where_it_is_refused_without_them_nobody_is_to_blame() {
    let mut stage = Stage::default();
    stage.write(&[(0, 0), (1, 0)]);
    stage.write(&[(0, 1), (1, 1), (2, 0)]);
    let served = stage.served.clone();
    let now = Instant::now();
    let swaps = stage
        .trials
        .refuse(&key(), false, |name| newest(&served, name), now);
    stage.swap(swaps);
    assert_eq!(stage.served.get(&name(0)), Some(&object(0, 0)));
    let swaps = stage
        .trials
        .go_on(vec![(key(), Reception::Refused("no".to_owned()))], now);
    stage.swap(swaps);
    assert_eq!(stage.served, served);
    // It is not asked again and again; and nobody is forgotten.
    assert!(
        stage
            .trials
            .refuse(&key(), false, |name| newest(&served, name), now)
            .is_empty()
    );
    let later = stage
        .trials
        .refuse(&key(), false, |name| newest(&served, name), now + REST);
    assert_eq!(later.len(), 3);
    let swaps = stage
        .trials
        .go_on(vec![(key(), Reception::Refused("no".to_owned()))], now + REST);
    stage.swap(later);
    stage.swap(swaps);
    assert!(stage.guilty().is_empty() && stage.trials.keys(now).is_empty());
}

#[test]
fn a_first_list_blames_nobody() {
    let mut stage = Stage::default();
    let count = MANY + 1;
    let all: Vec<_> = (0..count).map(|at| (at, 0)).collect();
    stage.write(&all);
    stage.bad = BTreeSet::from([(7, 0)]);
    let served = stage.served.clone();
    let swaps = stage
        .trials
        .refuse(&key(), false, |name| newest(&served, name), Instant::now());
    assert!(swaps.is_empty());
}

#[test]
fn a_first_list_is_served_without_the_bad_ones() {
    for bad in [vec![0], vec![3], vec![0, 2, 5], vec![1, 2, 3, 4, 5]] {
        let mut stage = Stage {
            is_new: true,
            bad: bad.iter().map(|at| (*at, 0)).collect(),
            ..Stage::default()
        };
        stage.write(&(0..6).map(|at| (at, 0)).collect::<Vec<_>>());
        stage.answer();
        assert_eq!(
            stage.guilty(),
            bad.iter().map(|at| name(*at)).collect(),
            "{bad:?}"
        );
        assert_eq!(stage.served.len(), 6 - bad.len());
    }
}

/// A port that cannot be bound: with one object alone nobody can tell.
#[test]
fn of_a_first_list_nobody_is_to_blame_where_it_was_never_taken() {
    for count in [1, 2, 5] {
        let mut stage = Stage {
            is_new: true,
            is_unbound: true,
            ..Stage::default()
        };
        stage.write(&(0..count).map(|at| (at, 0)).collect::<Vec<_>>());
        stage.answer();
        assert_eq!(stage.guilty(), BTreeSet::new());
        assert_eq!(stage.served.len(), count, "all of it is served again");
        assert_eq!(stage.trials.blamed().count(), 0);
    }
}

/// What is served of an object may be less than its source has.
#[test]
fn the_same_from_the_source_is_no_news() {
    let mut stage = Stage::default();
    stage.write(&[(0, 0)]);
    stage.bad = BTreeSet::from([(0, 1)]);
    stage.served.insert(name(0), object(0, 1));
    let source = object(0, 7);
    let moved = Moved {
        name: name(0),
        before: Some(object(0, 0)),
        now: Some(object(0, 1)),
    };
    let newest = |_: &ObjectRef| {
        Some(NewestVersion {
            served: object(0, 1),
            source: Arc::clone(&source),
        })
    };
    stage.trials.note(&[(key(), Reception::Taken)], &[moved], newest);
    let swaps = stage.trials.refuse(&key(), false, newest, Instant::now());
    stage.swap(swaps);
    stage.answer();
    assert_eq!(stage.guilty(), BTreeSet::from([name(0)]));
    assert!(stage.trials.holds_back(&name(0), Some(&source)));
    assert_eq!(stage.guilty(), BTreeSet::from([name(0)]));
    assert!(!stage.trials.holds_back(&name(0), Some(&object(0, 1))));
    assert!(stage.guilty().is_empty());
}
