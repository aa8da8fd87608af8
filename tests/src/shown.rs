//! The manifests on a page of the book: the tests apply exactly these.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// All documents of a page's blocks of YAML, in order.
#[derive(Clone, Debug)]
pub struct ShownManifests(Vec<Value>);

impl ShownManifests {
    /// Of a page below `docs`.
    ///
    /// # Errors
    /// A block is not YAML.
    pub fn read(page: &str) -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut documents = Vec::new();
        for block in text.split("```yaml\n").skip(1) {
            let (block, _) = block.split_once("\n```").context("a block does not end")?;
            let mut read: Vec<Value> = serde_saphyr::from_multiple(block).context(page.to_owned())?;
            documents.append(&mut read);
        }
        ensure!(!documents.is_empty(), "{page} shows no manifests");
        Ok(Self(documents))
    }

    /// Those of a kind.
    ///
    /// # Errors
    /// The page shows none.
    pub fn of(&self, kind: &str) -> Result<Vec<Value>> {
        let found = self.0.iter().filter(|document| document["kind"] == kind);
        let found: Vec<Value> = found.cloned().collect();
        ensure!(!found.is_empty(), "the page shows no {kind}");
        Ok(found)
    }

    /// The first of a kind.
    ///
    /// # Errors
    /// The page shows none.
    pub fn first(&self, kind: &str) -> Result<Value> {
        self.of(kind)?.into_iter().next().context("none")
    }
}
