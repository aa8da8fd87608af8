//! Which unit an object comes from. Every object is told once: the first in path order stands, another of the same
//! name is an error of its file. A change costs what it touches, however many files there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealgate_model::{Code, Finding, Kind, ObjectRef, Severity, SourceEvent, SourceObject};

/// What one unit held when it was last read.
#[derive(Debug)]
struct UnitReading {
    /// Names the unit itself.
    file: ObjectRef,
    objects: BTreeMap<ObjectRef, Arc<SourceObject>>,
    /// What is wrong with the unit as a whole.
    findings: Vec<Finding>,
    /// Objects that it has twice.
    again: Vec<ObjectRef>,
}

impl UnitReading {
    fn new(file: ObjectRef, entries: Vec<SourceObject>) -> Self {
        let mut reading = Self {
            file,
            objects: BTreeMap::new(),
            findings: Vec::new(),
            again: Vec::new(),
        };
        for entry in entries {
            let name = &entry.object_ref;
            if name.kind == Kind::File {
                reading.findings.extend(entry.findings);
            } else if reading.objects.contains_key(name) {
                reading.again.push(entry.object_ref);
            } else {
                reading.objects.insert(name.clone(), Arc::new(entry));
            }
        }
        reading
    }

    fn is_broken(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct UnitIndex {
    readings: BTreeMap<PathBuf, UnitReading>,
    /// The units that hold an object of this name, and the unit that a file's name means.
    claims: HashMap<ObjectRef, BTreeSet<PathBuf>>,
    told: HashMap<ObjectRef, Arc<SourceObject>>,
    /// What may differ from what was told.
    touched: BTreeSet<ObjectRef>,
}

impl UnitIndex {
    /// The units at a path and below it.
    pub(super) fn units_at(&self, path: &Path) -> impl Iterator<Item = &PathBuf> {
        let from = self
            .readings
            .range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        from.map(|(unit, _)| unit)
            .take_while(move |unit| unit.starts_with(path))
    }

    /// Takes what a unit holds now. One that cannot be read as a whole keeps the objects that it had.
    pub(super) fn set(&mut self, path: &Path, file: ObjectRef, entries: Vec<SourceObject>) {
        let mut reading = UnitReading::new(file, entries);
        let former = self.take(path);
        if reading.is_broken() {
            for (name, old) in former.into_iter().flat_map(|former| former.objects) {
                reading.objects.entry(name).or_insert(old);
            }
        }
        for name in reading.objects.keys().chain([&reading.file]) {
            self.claims
                .entry(name.clone())
                .or_default()
                .insert(path.to_owned());
        }
        self.readings.insert(path.to_owned(), reading);
        self.touch(path);
    }

    /// Forgets a unit.
    pub(super) fn remove(&mut self, path: &Path) {
        drop(self.take(path));
    }

    fn take(&mut self, path: &Path) -> Option<UnitReading> {
        self.touch(path);
        let reading = self.readings.remove(path)?;
        for name in reading.objects.keys().chain([&reading.file]) {
            if let Some(claims) = self.claims.get_mut(name) {
                claims.remove(path);
                if claims.is_empty() {
                    self.claims.remove(name);
                }
            }
        }
        Some(reading)
    }

    /// What this unit says may differ now, and what other units say of the same objects.
    fn touch(&mut self, path: &Path) {
        let Some(reading) = self.readings.get(path) else {
            return;
        };
        for name in reading.objects.keys().chain([&reading.file]) {
            self.touched.insert(name.clone());
            let others = self.claimants(name).filter(|other| other.file != *name);
            let files: Vec<_> = others.map(|other| other.file.clone()).collect();
            self.touched.extend(files);
        }
    }

    fn claimants(&self, name: &ObjectRef) -> impl Iterator<Item = &UnitReading> {
        let paths = self.claims.get(name).into_iter().flatten();
        paths.filter_map(|path| self.readings.get(path))
    }

    /// What the receiver does not know yet.
    pub(super) fn changes(&mut self) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        for name in std::mem::take(&mut self.touched) {
            match self.current(&name) {
                Some(now) if self.told.get(&name).is_some_and(|told| same(told, &now)) => {}
                Some(now) => {
                    events.push(SourceEvent::Apply(SourceObject::clone(&now)));
                    self.told.insert(name, now);
                }
                None if self.told.remove(&name).is_some() => events.push(SourceEvent::Delete(name)),
                None => {}
            }
        }
        events
    }

    /// Everything, as if nothing had been told yet, in the order of the paths.
    pub(super) fn all(&mut self) -> Vec<SourceObject> {
        self.told.clear();
        self.touched = self.claims.keys().cloned().collect();
        let told = |event| match event {
            SourceEvent::Apply(entry) => Some(entry),
            SourceEvent::Reset(_) | SourceEvent::Delete(_) => None,
        };
        let mut entries: Vec<SourceObject> = self.changes().into_iter().filter_map(told).collect();
        entries.sort_by_cached_key(|entry| self.claims.get(&entry.object_ref)?.first().cloned());
        entries
    }

    /// What is to be told of an object or a file.
    fn current(&self, name: &ObjectRef) -> Option<Arc<SourceObject>> {
        let owner = self.claimants(name).next()?;
        if name.kind != Kind::File {
            return owner.objects.get(name).cloned();
        }
        let mut findings = owner.findings.clone();
        findings.extend(self.duplicates(owner));
        (!findings.is_empty()).then(|| {
            Arc::new(SourceObject {
                object_ref: name.clone(),
                object: None,
                findings,
            })
        })
    }

    /// The objects of a unit that do not stand.
    fn duplicates<'i>(&'i self, reading: &'i UnitReading) -> impl Iterator<Item = Finding> + 'i {
        let owned = reading.objects.keys().filter_map(|name| {
            let owner = self.claimants(name).next()?;
            (owner.file != reading.file).then(|| duplicate(name, reading, owner))
        });
        owned.chain(reading.again.iter().map(|name| duplicate(name, reading, reading)))
    }
}

fn duplicate(name: &ObjectRef, reading: &UnitReading, owner: &UnitReading) -> Finding {
    Finding {
        severity: Severity::Error,
        code: Code::DuplicateObject,
        object: name.clone(),
        field: None,
        message: if reading.file == owner.file {
            format!("{} has it twice: the first stands", reading.file)
        } else {
            format!("{} has it too: that of {} stands", reading.file, owner.file)
        },
    }
}

fn same(told: &Arc<SourceObject>, now: &Arc<SourceObject>) -> bool {
    Arc::ptr_eq(told, now) || told == now
}
