//! Which objects are those of a file that cannot be read now, kept in `--state-dir`: when the agent starts anew, they are taken
//! to be there for as long as the file is, and cannot be read. Names alone: what is served of them is kept with what is served
//! of refused objects.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sealgate_model::{Kind, ObjectRef};
use serde::{Deserialize, Serialize};

use super::folder::KeptFolder;

use crate::claim_log::StateError;

const FOLDER: &str = "files";

/// The objects of files, by the files' paths below the root of the source.
pub type UnreadNames = BTreeMap<String, Vec<ObjectRef>>;

/// A file of the source as a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnreadFile {
    file: String,
    objects: Vec<UnreadObject>,
}

/// One of its objects.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UnreadObject {
    kind: String,
    namespace: String,
    name: String,
}

/// See the module.
#[derive(Debug)]
pub struct KeptUnread(KeptFolder);

impl KeptUnread {
    /// Reads what stands in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// The folder can neither be made nor read.
    pub fn open(state: &Path) -> Result<(Self, UnreadNames), StateError> {
        let (folder, kept) = KeptFolder::open(state.join(FOLDER), read)?;
        Ok((Self(folder), kept.into_iter().map(|(_, file)| file).collect()))
    }

    /// From now on these objects are those of a file that cannot be read; none if it can be, or is gone.
    pub(crate) fn note(&mut self, file: &str, objects: &[ObjectRef]) {
        let objects = objects.iter().map(|name| UnreadObject {
            kind: name.kind.as_str().to_owned(),
            namespace: name.namespace.to_string(),
            name: name.name.to_string(),
        });
        let file = UnreadFile {
            file: file.to_owned(),
            objects: objects.collect(),
        };
        let is_some = !file.objects.is_empty();
        let bytes = is_some.then(|| serde_json::to_vec(&file).ok()).flatten();
        self.0.note(&file.file, bytes.as_deref());
    }
}

fn read(path: &Path) -> Result<(String, Vec<ObjectRef>), String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let file: UnreadFile = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let object = |own: UnreadObject| {
        let kind = Kind::named(&own.kind).ok_or_else(|| format!("unknown kind {:?}", own.kind))?;
        Ok(ObjectRef::new(kind, own.namespace, own.name))
    };
    let objects: Result<_, String> = file.objects.into_iter().map(object).collect();
    Ok((file.file, objects?))
}
