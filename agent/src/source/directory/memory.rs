//! The objects of files that can no longer be read, stored so that they outlive the agent.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::ObjectRef;

use super::index::UnitIndex;
use super::tree::Tree;
use crate::kept::unread::{KeptUnread, UnreadNames};

/// See the module; none without a folder to store them in.
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

    /// Restores what a previous agent could no longer read, as long as the files exist. Must be called before anything
    /// is read.
    pub(super) fn tell(&mut self, index: &mut UnitIndex, root: &Path) -> io::Result<()> {
        let root = std::path::absolute(root)?;
        for (file, objects) in std::mem::take(&mut self.names) {
            // If the root is a file, its whole path is used.
            let path: Arc<Path> = root.join(&file).into();
            index.recall(&path, ObjectRef::file(file), objects);
        }
        Ok(())
    }

    /// Stores what cannot be read now, before the receiver gets it, which stores what it serves soon after.
    pub(super) fn note(&mut self, index: &mut UnitIndex, tree: &Tree) {
        for (path, objects) in index.take_stale() {
            if let Some(kept) = &mut self.kept {
                kept.note(&tree.file_ref(&path).name, &objects);
            }
        }
    }
}
