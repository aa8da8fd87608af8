//! Which unit an object comes from. Every object is sent once: the first in path order is used, and another one of the
//! same name is an error of its file. What a unit held before it became unreadable is used too, unless another unit has
//! it. The cost of a change does not depend on the number of files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use sealgate_model::few::Few;
use sealgate_model::{Code, Finding, Kind, ObjectRef, Severity, SourceEvent, SourceObject};

use super::below::below;
use super::kept::KeptObject;

/// How many of the objects that a unit has twice are named.
const MOST_AGAIN: usize = 100;

/// What is kept from the last time that a unit was read.
#[derive(Debug)]
struct UnitReading {
    /// The name of the unit itself.
    file: ObjectRef,
    /// In the order of their names.
    objects: Vec<KeptObject>,
    /// Findings about the unit as a whole.
    findings: Vec<Finding>,
    /// Objects that it has twice.
    again: Vec<ObjectRef>,
}

impl UnitReading {
    fn new(file: ObjectRef, entries: Vec<SourceObject>) -> Self {
        let mut objects: BTreeMap<ObjectRef, KeptObject> = BTreeMap::new();
        let mut findings = Vec::new();
        let mut again = Vec::new();
        for entry in entries {
            let name = &entry.object_ref;
            if name.kind == Kind::File {
                findings.extend(entry.findings);
            } else if objects.contains_key(name) {
                if again.len() < MOST_AGAIN {
                    again.push(entry.object_ref);
                }
            } else {
                objects.insert(name.clone(), KeptObject::new(entry));
            }
        }
        Self {
            file,
            objects: objects.into_values().collect(),
            findings,
            again,
        }
    }

    fn names(&self) -> impl Iterator<Item = &ObjectRef> {
        self.objects.iter().map(KeptObject::name).chain([&self.file])
    }

    fn at(&self, name: &ObjectRef) -> Option<usize> {
        self.objects.binary_search_by(|kept| kept.name().cmp(name)).ok()
    }

    /// Adds objects of a previous reading that this one does not name.
    fn keep(&mut self, former: Self) {
        for old in former.objects {
            if let Err(at) = self.objects.binary_search_by(|kept| kept.name().cmp(old.name())) {
                self.objects.insert(at, old.unread());
            }
        }
    }

    fn has(&self, name: &ObjectRef) -> bool {
        let kept = self.at(name).and_then(|at| self.objects.get(at));
        kept.is_none_or(|kept| !kept.is_unread())
    }

    /// Its objects that cannot be read now.
    fn unread(&self) -> impl Iterator<Item = &ObjectRef> {
        let unread = self.objects.iter().filter(|kept| kept.is_unread());
        unread.map(KeptObject::name)
    }

    fn is_broken(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }
}

/// The units that have an object, and what was sent about it.
#[derive(Debug, Default)]
struct UnitClaim {
    /// The units that have an object of this name; for the name of a file, its unit.
    units: Few<Arc<Path>>,
    told: Option<KeptObject>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct UnitIndex {
    readings: BTreeMap<Arc<Path>, UnitReading>,
    claims: HashMap<ObjectRef, UnitClaim>,
    /// What may differ from what was sent.
    touched: BTreeSet<ObjectRef>,
    /// Units that must be read again: their Secrets must be sent and were not kept.
    again: BTreeSet<Arc<Path>>,
    /// Units whose set of unreadable objects has changed.
    stale: BTreeSet<Arc<Path>>,
}

impl UnitIndex {
    /// The units at and below a path.
    pub(super) fn units_at<'i>(&'i self, path: &'i Path) -> impl Iterator<Item = &'i Arc<Path>> {
        below(&self.readings, path).map(|(unit, _)| unit)
    }

    /// Sets the objects of a unit. One that cannot be read as a whole keeps the objects that it had.
    pub(super) fn set(&mut self, path: &Arc<Path>, file: ObjectRef, entries: Vec<SourceObject>) {
        let mut reading = UnitReading::new(file, entries);
        let former = self.take(path);
        let was_unread = former
            .as_ref()
            .is_some_and(|former| former.unread().next().is_some());
        if let Some(former) = former.filter(|_| reading.is_broken()) {
            reading.keep(former);
        }
        if was_unread || reading.unread().next().is_some() {
            self.stale.insert(Arc::clone(path));
        }
        self.put(path, reading);
    }

    /// A unit in a folder that cannot be read keeps its objects.
    pub(super) fn hide(&mut self, path: &Arc<Path>) {
        let is_read = |reading: &UnitReading| reading.unread().count() < reading.objects.len();
        if !self.readings.get(path).is_some_and(is_read) {
            return;
        }
        if let Some(mut reading) = self.take(path) {
            let objects = reading.objects.into_iter();
            reading.objects = objects.map(KeptObject::unread).collect();
            self.stale.insert(Arc::clone(path));
            self.put(path, reading);
        }
    }

    /// Restores objects of a unit that could not be read last time. Called before anything is read.
    pub(super) fn recall(&mut self, path: &Arc<Path>, file: ObjectRef, names: Vec<ObjectRef>) {
        let names: BTreeSet<_> = names.into_iter().filter(|name| name.kind != Kind::File).collect();
        let objects = names.into_iter().map(|name| KeptObject::Unread(Arc::new(name)));
        let reading = UnitReading {
            file,
            objects: objects.collect(),
            findings: Vec::new(),
            again: Vec::new(),
        };
        self.put(path, reading);
    }

    /// The units whose set of unreadable objects has changed since the last call, with these objects.
    pub(super) fn take_stale(&mut self) -> Vec<(Arc<Path>, Vec<ObjectRef>)> {
        let stale = std::mem::take(&mut self.stale).into_iter();
        let names = |path: &Arc<Path>| {
            let reading = self.readings.get(path).into_iter();
            reading.flat_map(UnitReading::unread).cloned().collect()
        };
        stale.map(|path| (Arc::clone(&path), names(&path))).collect()
    }

    fn put(&mut self, path: &Arc<Path>, reading: UnitReading) {
        for name in reading.names() {
            let claim = self.claims.entry(name.clone()).or_default();
            claim.units.insert(Arc::clone(path));
        }
        self.readings.insert(Arc::clone(path), reading);
        self.touch(path);
    }

    /// Forgets a unit.
    pub(super) fn remove(&mut self, path: &Path) {
        if let Some((path, _)) = self
            .readings
            .get_key_value(path)
            .filter(|(_, own)| own.unread().next().is_some())
        {
            self.stale.insert(Arc::clone(path));
        }
        drop(self.take(path));
    }

    fn take(&mut self, path: &Path) -> Option<UnitReading> {
        self.touch(path);
        let (path, reading) = self.readings.remove_entry(path)?;
        for name in reading.names() {
            if let Some(claim) = self.claims.get_mut(name) {
                claim.units.remove(&path);
            }
        }
        Some(reading)
    }

    /// Marks the objects of this unit, which may have changed, including in other units that have them.
    fn touch(&mut self, path: &Path) {
        let Some(reading) = self.readings.get(path) else {
            return;
        };
        for name in reading.names() {
            self.touched.insert(name.clone());
            let others = self.claimants(name).filter(|other| other.file != *name);
            let files: Vec<_> = others.map(|other| other.file.clone()).collect();
            self.touched.extend(files);
        }
    }

    /// The first readable unit that has it, or else the first that had it.
    fn owner(&self, name: &ObjectRef) -> Option<&Arc<Path>> {
        let units = &self.claims.get(name)?.units;
        let has = |path: &&Arc<Path>| self.readings.get(*path).is_some_and(|reading| reading.has(name));
        units.iter().find(has).or_else(|| units.iter().next())
    }

    fn owning(&self, name: &ObjectRef) -> Option<&UnitReading> {
        self.readings.get(self.owner(name)?)
    }

    fn claimants(&self, name: &ObjectRef) -> impl Iterator<Item = &UnitReading> {
        let units = self.claims.get(name).map(|claim| &claim.units);
        let units = units.into_iter().flatten();
        units.filter_map(|path| self.readings.get(path))
    }

    /// What the receiver does not know yet. Only the digests of Secrets are kept afterwards.
    pub(super) fn changes(&mut self) -> Vec<SourceEvent> {
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().filter_map(|name| self.change(name)).collect()
    }

    fn change(&mut self, name: ObjectRef) -> Option<SourceEvent> {
        let now = self.current(&name);
        let owner = self.owner(&name).cloned();
        let claim = self.claims.get_mut(&name)?;
        let Some(now) = now else {
            let was_told = claim.told.take().is_some();
            if claim.units.is_empty() {
                self.claims.remove(&name);
            }
            return was_told.then_some(SourceEvent::Delete(name));
        };
        let kept = now.kept();
        let is_known = claim.told.as_ref() == Some(&kept);
        if let (KeptObject::Digest(_), false) = (&now, is_known) {
            self.again.extend(owner);
            return None;
        }
        claim.told = Some(kept.clone());
        if let Some(place) = self.place(&name) {
            *place = kept;
        }
        match now {
            KeptObject::Whole(entry) if !is_known => Some(SourceEvent::Apply(Arc::unwrap_or_clone(entry))),
            KeptObject::Unread(name) if !is_known => Some(SourceEvent::Apply(SourceObject::unread(
                Arc::unwrap_or_clone(name),
            ))),
            KeptObject::Whole(_) | KeptObject::Digest(_) | KeptObject::Unread(_) => None,
        }
    }

    /// Where the owner of an object keeps it.
    fn place(&mut self, name: &ObjectRef) -> Option<&mut KeptObject> {
        let owner = Arc::clone(self.owner(name)?);
        let reading = self.readings.get_mut(&owner)?;
        let at = reading.at(name)?;
        reading.objects.get_mut(at)
    }

    /// Units that must be read again before everything can be sent.
    pub(super) fn take_again(&mut self) -> BTreeSet<Arc<Path>> {
        std::mem::take(&mut self.again)
    }

    /// Everything, as if nothing had been sent yet, in the order of paths.
    pub(super) fn all(&mut self) -> Vec<SourceObject> {
        self.claims.values_mut().for_each(|claim| claim.told = None);
        self.touched = self.claims.keys().cloned().collect();
        let told = |event| match event {
            SourceEvent::Apply(entry) => Some(entry),
            SourceEvent::Reset(_) | SourceEvent::Delete(_) => None,
        };
        let mut entries: Vec<SourceObject> = self.changes().into_iter().filter_map(told).collect();
        entries.sort_by_cached_key(|entry| self.owner(&entry.object_ref).cloned());
        entries
    }

    /// What must be sent about an object or a file.
    fn current(&self, name: &ObjectRef) -> Option<KeptObject> {
        let owner = self.owning(name)?;
        if name.kind != Kind::File {
            return owner.at(name).and_then(|at| owner.objects.get(at)).cloned();
        }
        let mut findings = owner.findings.clone();
        findings.extend(self.duplicates(owner));
        (!findings.is_empty()).then(|| {
            KeptObject::new(SourceObject {
                object_ref: name.clone(),
                object: None,
                findings,
            })
        })
    }

    /// The objects of a unit that are not used, because another unit has them.
    fn duplicates<'i>(&'i self, reading: &'i UnitReading) -> impl Iterator<Item = Finding> + 'i {
        let read = reading.objects.iter().filter(|kept| !kept.is_unread());
        let owned = read.filter_map(|kept| {
            let owner = self.owning(kept.name())?;
            (owner.file != reading.file).then(|| duplicate(kept.name(), reading, owner))
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
            format!("{} defines it twice: using the first", reading.file)
        } else {
            format!("{} defines it too: using that of {}", reading.file, owner.file)
        },
    }
}
