//! Objects that are held back because a proxy refused them, kept in `--state-dir`: they are held back when the agent starts
//! anew, as long as their sources have the same of them. A file is an object.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sealgate_model::{Kind, Object, ObjectRef};
use serde::{Deserialize, Serialize};

use super::folder::KeptFolder;
use crate::claim_log::StateError;
use crate::snapshot::TypeUrl;
use crate::trial::Blame;

const FOLDER: &str = "held-back";

/// An object as a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeldBackFile {
    kind: String,
    namespace: String,
    name: String,
    /// What the source had of it.
    digest: String,
    r#type: String,
    resource: String,
    reason: String,
}

/// An object that was held back.
#[derive(Clone, Debug)]
pub struct RememberedBlame {
    /// Which one.
    pub object: ObjectRef,
    digest: String,
    blame: Blame,
}

impl RememberedBlame {
    /// For what it was held back, if this is what its source had of it then.
    #[must_use]
    pub fn of(self, object: Option<&Object>) -> Option<Blame> {
        let digest = super::digest(object?)?;
        (digest == self.digest).then_some(self.blame)
    }
}

/// See the module.
#[derive(Debug)]
pub struct KeptBlames(KeptFolder);

impl KeptBlames {
    /// Reads what stands in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// The folder can neither be made nor read.
    pub fn open(state: &Path) -> Result<(Self, Vec<RememberedBlame>), StateError> {
        let (folder, kept) = KeptFolder::open(state.join(FOLDER), read)?;
        Ok((Self(folder), kept.into_iter().map(|(_, blame)| blame).collect()))
    }

    /// From now on these objects, as their sources have them, are held back, or no more.
    pub fn note(&mut self, changes: BTreeMap<ObjectRef, Option<(Arc<Object>, Blame)>>) {
        for (name, held) in changes {
            let file = held.and_then(|(object, blame)| file(&name, &object, blame));
            let bytes = file.and_then(|file| serde_json::to_vec(&file).ok());
            self.0.note(name, bytes.as_deref());
        }
    }
}

fn file(name: &ObjectRef, object: &Object, blame: Blame) -> Option<HeldBackFile> {
    Some(HeldBackFile {
        kind: name.kind.as_str().to_owned(),
        namespace: name.namespace.to_string(),
        name: name.name.to_string(),
        digest: super::digest(object)?,
        r#type: blame.resource.0.short().to_owned(),
        resource: blame.resource.1.to_string(),
        reason: blame.reason,
    })
}

fn read(path: &Path) -> Result<RememberedBlame, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let file: HeldBackFile = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let kinds = [Kind::Gateway, Kind::VirtualService];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == file.kind);
    let kind = kind.ok_or_else(|| format!("unknown kind {:?}", file.kind))?;
    let mut types = TypeUrl::ALL.into_iter();
    let resource = types.find(|own| own.short() == file.r#type);
    let resource = resource.ok_or_else(|| format!("unknown type {:?}", file.r#type))?;
    Ok(RememberedBlame {
        object: ObjectRef::new(kind, file.namespace, file.name),
        digest: file.digest,
        blame: Blame {
            resource: (resource, file.resource.into()),
            reason: file.reason,
        },
    })
}
