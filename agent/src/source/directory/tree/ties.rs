//! What depends on a real path.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::few::Few;

use super::super::below::below;
use super::Visit;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Ties {
    visits: BTreeMap<Arc<Path>, Few<Visit>>,
    /// Real folders that were added or removed, or may have been.
    touched: BTreeSet<Arc<Path>>,
}

impl Ties {
    /// Makes a change of these paths lead to a visit.
    pub(super) fn tie(&mut self, visit: &Visit, paths: &[Arc<Path>]) {
        for path in paths {
            let visits = self.visits.entry(Arc::clone(path)).or_default();
            visits.insert(visit.clone());
            self.touch_folder_of(path);
        }
    }

    /// Undoes [`Self::tie`].
    pub(super) fn untie(&mut self, visit: &Visit, paths: &[Arc<Path>]) {
        for path in paths {
            if let Some(visits) = self.visits.get_mut(path) {
                visits.remove(visit);
                if visits.is_empty() {
                    self.visits.remove(path);
                }
            }
            self.touch_folder_of(path);
        }
    }

    /// What a change of exactly this path leads to.
    pub(super) fn at(&self, path: &Path) -> impl Iterator<Item = &Visit> {
        self.visits.get(path).into_iter().flatten()
    }

    /// What a change of this path, or of anything below it, leads to.
    pub(super) fn below<'t>(&'t self, path: &'t Path) -> impl Iterator<Item = &'t Visit> {
        below(&self.visits, path).flat_map(|(_, visits)| visits)
    }

    /// Whether anything depends on a name in this folder.
    pub(super) fn has_folder(&self, folder: &Path) -> bool {
        below(&self.visits, folder).any(|(path, _)| path.parent() == Some(folder))
    }

    /// Marks a folder whose need for a watch may have changed.
    pub(super) fn touch(&mut self, folder: Arc<Path>) {
        self.touched.insert(folder);
    }

    fn touch_folder_of(&mut self, path: &Path) {
        if let Some(folder) = path.parent()
            && !self.touched.contains(folder)
        {
            self.touched.insert(folder.into());
        }
    }

    /// The folders that were marked since the last call.
    pub(super) fn take_touched(&mut self) -> BTreeSet<Arc<Path>> {
        mem::take(&mut self.touched)
    }
}
