//! What is kept of an object between two readings: the object itself, which is shared with the receiver anyway, but
//! only a digest of a Secret that was sent. A Secret that another unit also has is kept whole: it may have to be sent.

use std::sync::Arc;

use sealgate_model::{Object, ObjectRef, SecretObject, SourceObject};
use sha2::{Digest as _, Sha256};

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum KeptObject {
    Whole(Arc<SourceObject>),
    Digest(Arc<SecretDigest>),
    /// An object of a unit that can no longer be read as a whole: the receiver still has it.
    Unread(Arc<ObjectRef>),
}

/// A Secret that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SecretDigest {
    name: ObjectRef,
    digest: [u8; 32],
}

impl KeptObject {
    pub(super) fn new(entry: SourceObject) -> Self {
        Self::Whole(Arc::new(entry))
    }

    pub(super) fn name(&self) -> &ObjectRef {
        match self {
            Self::Whole(entry) => &entry.object_ref,
            Self::Digest(secret) => &secret.name,
            Self::Unread(name) => name,
        }
    }

    /// The same, in a unit that can no longer be read.
    pub(super) fn unread(self) -> Self {
        match self {
            Self::Unread(name) => Self::Unread(name),
            read => Self::Unread(Arc::new(read.name().clone())),
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        matches!(self, Self::Unread(_))
    }

    /// What is kept of it after it was sent.
    pub(super) fn kept(&self) -> Self {
        match self {
            Self::Whole(entry) => match &entry.object {
                Some(Object::Secret(secret)) => Self::Digest(Arc::new(SecretDigest {
                    name: entry.object_ref.clone(),
                    digest: digest(secret, entry),
                })),
                _ => Self::Whole(Arc::clone(entry)),
            },
            Self::Digest(_) | Self::Unread(_) => self.clone(),
        }
    }
}

impl PartialEq for KeptObject {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => Arc::ptr_eq(one, other) || one == other,
            (Self::Digest(one), Self::Digest(other)) => one == other,
            (Self::Unread(one), Self::Unread(other)) => one == other,
            _ => false,
        }
    }
}

fn digest(secret: &SecretObject, entry: &SourceObject) -> [u8; 32] {
    let mut hasher = Sha256::new();
    // This has no data: `Debug` never shows a key.
    hasher.update(format!("{secret:?} {:?}", entry.findings));
    for value in secret.data.values() {
        hasher.update(value.len().to_le_bytes());
        hasher.update(value.as_slice());
    }
    hasher.finalize().into()
}
