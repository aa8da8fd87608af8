//! The entries of a file. Findings about the file itself are limited: for millions of bad documents, one finding is
//! enough.

use super::finding;
use crate::{Code, Finding, Kind, ObjectRef, Severity, SourceObject};

/// The maximum number of single findings about a file.
const MOST_SAID: usize = 100;

/// See the module.
#[derive(Debug)]
pub(super) struct Entries {
    file: ObjectRef,
    entries: Vec<SourceObject>,
    said: usize,
    /// How many more findings there were, and the worst of them.
    more: usize,
    worst: Option<(Severity, Code)>,
}

impl Entries {
    pub(super) fn new(file: &ObjectRef) -> Self {
        Self {
            file: file.clone(),
            entries: Vec::new(),
            said: 0,
            more: 0,
            worst: None,
        }
    }

    pub(super) fn push(&mut self, entry: SourceObject) {
        if entry.object_ref.kind != Kind::File {
            return self.entries.push(entry);
        }
        self.said += 1;
        if self.said <= MOST_SAID {
            return self.entries.push(entry);
        }
        self.more += 1;
        let of_entry = entry
            .findings
            .iter()
            .map(|finding| (finding.severity, finding.code));
        for one in of_entry {
            if self.worst.is_none_or(|worst| one.0 < worst.0) {
                self.worst = Some(one);
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<SourceObject> {
        self.entries
            .extend(self.worst.map(|(severity, code)| SourceObject {
                object_ref: self.file.clone(),
                object: None,
                findings: vec![rest(self.file, severity, code, self.more)],
            }));
        self.entries
    }
}

fn rest(file: ObjectRef, severity: Severity, code: Code, more: usize) -> Finding {
    let message =
        format!("{more} more documents or items are like this, or of kinds that Sealgate does not use");
    finding(file, severity, code, None, message)
}
