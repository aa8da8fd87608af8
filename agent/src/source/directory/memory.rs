//! What files held that cannot be read now, as it outlives the agent.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::ObjectRef;

use super::index::UnitIndex;
use super::tree::Tree;
use crate::kept::unread::{KeptUnread, UnreadNames};

/// See the module; none without a folder for it.
#[derive(Debug, Default)]
pub(super) struct UnreadMemory {
    kept: Option<KeptUnread>,
    names: UnreadNames,
}

impl UnreadMemory {
    pub(super) fn new(kept: Option<(KeptUnread, UnreadNames)>) -> Self {
        let Some((kept, names)) = kept else {
            return Self::default();
        };
        Self {
            kept: Some(kept),
            names,
        }
    }

    /// What a source before this one could not read any more stands for as long as its files are there. To be told before
    /// anything is read.
    pub(super) fn tell(&mut self, index: &mut UnitIndex, root: &Path) -> io::Result<()> {
        let root = std::path::absolute(root)?;
        for (file, objects) in std::mem::take(&mut self.names) {
            // A root that is a file goes by its whole path.
            let path: Arc<Path> = root.join(&file).into();
            index.recall(&path, ObjectRef::file(file), objects);
        }
        Ok(())
    }

    /// Keeps what cannot be read now, before the receiver is told: what is served of it is kept soon after.
    pub(super) fn note(&mut self, index: &mut UnitIndex, tree: &Tree) {
        for (path, objects) in index.take_stale() {
            if let Some(kept) = &mut self.kept {
                kept.note(&tree.file_ref(&path).name, &objects);
            }
        }
    }
}
