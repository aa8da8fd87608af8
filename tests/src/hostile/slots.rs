//! The files that the hostile namespace has, and what a step does to them.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::chance::once_in;
use super::grammar::object;
use super::ground::Ground;
use super::mutate;

/// The number of files, and of objects in each at most.
const FILES: usize = 8;
const OBJECTS: usize = 4;

/// The objects of each file, as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(BTreeMap<String, Vec<String>>);

impl Slots {
    /// Writes, changes or removes some files; returns their names.
    pub(super) fn step(&mut self, rng: &mut Rng, ground: &Ground) -> Vec<String> {
        let mut names: Vec<_> = (0..rng.usize(1..=3)).map(|_| self.change(rng, ground)).collect();
        names.sort();
        names.dedup();
        names
    }

    fn change(&mut self, rng: &mut Rng, ground: &Ground) -> String {
        let name = format!("hostile-{}.yaml", rng.usize(..FILES));
        if once_in(rng, 5) {
            self.0.remove(&name);
            return name;
        }
        let file = self.0.entry(name.clone()).or_default();
        if once_in(rng, 3) && file.len() < OBJECTS {
            file.clear();
        }
        let made: Vec<_> = (0..rng.usize(1..=OBJECTS))
            .filter_map(|_| {
                let object = object(rng, ground);
                mutate::text(rng, object)
            })
            .collect();
        file.extend(made);
        let surplus = file.len().saturating_sub(OBJECTS);
        file.drain(..surplus);
        name
    }

    /// The text of a file; none if it is not there.
    pub(super) fn file(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|objects| objects.join("\n---\n"))
    }

    /// How many objects a file has.
    pub(super) fn count(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, Vec::len)
    }

    /// All objects, in the order of their files.
    pub(super) fn objects(&self) -> Vec<String> {
        self.0.values().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_change_and_go_and_stay_few() {
        let (mut rng, mut slots) = (Rng::with_seed(3), Slots::default());
        let (mut gone, mut changed) = (0, 0);
        for _ in 0..500 {
            let before = slots.clone();
            for name in slots.step(&mut rng, &Ground::default()) {
                match (before.file(&name), slots.file(&name)) {
                    (Some(_), None) => gone += 1,
                    (Some(before), Some(now)) if before != now => changed += 1,
                    _ => {}
                }
            }
            assert!(slots.objects().len() <= FILES * OBJECTS);
        }
        assert!(gone > 20 && changed > 100, "{gone} {changed}");
    }
}
