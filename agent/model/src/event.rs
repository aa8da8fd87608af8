//! What sources say, whichever of them is running.

use crate::{Finding, Object, ObjectRef};

/// What one look at the source brought: nobody is served a part of it. The receiver takes all steps that wait as one
/// change.
pub type Step = Vec<SourceEvent>;

/// What happened to one object, or to all.
#[derive(Debug)]
pub enum SourceEvent {
    /// The initial (or repeated) list is complete: these objects and no others exist.
    Reset(Vec<SourceObject>),
    /// One object was added or changed.
    Apply(SourceObject),
    /// One object is gone.
    Delete(ObjectRef),
}

/// One object, or why it could not be read. An unreadable one never replaces a good one: the receiver keeps what
/// it has and records the findings.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceObject {
    /// What was read: a [`crate::Kind::File`] when not even its name could be.
    pub object_ref: ObjectRef,
    /// The object, unless an error finding says why there is none, of it or of its file.
    pub object: Option<Object>,
    /// What reading it brought up (unknown fields, duplicates, syntax errors).
    pub findings: Vec<Finding>,
}

impl SourceObject {
    /// An object that cannot be read because its file cannot: what is served of it, and said, stands.
    #[must_use]
    pub fn unread(object_ref: ObjectRef) -> Self {
        Self {
            object_ref,
            object: None,
            findings: Vec::new(),
        }
    }

    /// Whether nothing is known of it but that it is there, or was when its file could be read last.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.object.is_none() && self.findings.is_empty()
    }
}
