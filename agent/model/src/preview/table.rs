//! The gateway of a running agent, read from its `/api/objects`: first everything, then changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use super::{KnownSecret, KnownSecrets, OptionsError, Preview};
use crate::line::{BeginLine, TableLine, UnknownKind};
use crate::resolve::Claims;
use crate::{CredentialName, Object, ObjectRef};

/// Lines that are not an agent's, or incomplete.
#[derive(Debug, Error)]
pub enum BadTable {
    /// Not a line.
    #[error("{0}")]
    Line(#[from] serde_json::Error),
    /// An object of an unknown kind.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    /// The options.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The first line is missing.
    #[error("the first line is missing")]
    NoBeginning,
    /// Changes to an unknown state.
    #[error("changes since state {0}, which is unknown")]
    Unknown(u64),
    /// Some are missing.
    #[error("{0} lines instead of {1}")]
    Cut(usize, usize),
}

/// See the module.
#[derive(Debug, Default)]
pub struct TableReader {
    begin: Option<BeginLine>,
    lines: usize,
    claims: Claims,
    secrets: BTreeMap<CredentialName, KnownSecret>,
    objects: BTreeMap<ObjectRef, Option<Arc<Object>>>,
    unpaid: BTreeSet<ObjectRef>,
    preview: Option<Preview>,
    /// The number of the preview's state.
    generation: Option<u64>,
}

impl TableReader {
    /// Takes a line; says whether it was the last.
    ///
    /// # Errors
    /// It is invalid, or others are missing.
    pub fn take(&mut self, line: &str) -> Result<bool, BadTable> {
        let line = serde_json::from_str(line)?;
        self.lines += 1;
        match line {
            TableLine::Begin(begin) => self.start(begin),
            TableLine::End(count) if count == self.lines => self.finish().map(|()| true),
            TableLine::End(count) => Err(BadTable::Cut(self.lines, count)),
            _ if self.begin.is_none() => Err(BadTable::NoBeginning),
            TableLine::Claim(line) => {
                let claim = line.claim();
                self.claims
                    .extend(claim.and_then(|(claim, tenure)| Some((claim, tenure?))));
                Ok(false)
            }
            TableLine::Credential(line) => {
                let (name, known) = line.known();
                self.secrets.insert(name, known);
                Ok(false)
            }
            TableLine::Object(line) => {
                let read = line.read()?;
                self.objects.insert(read.object_ref, read.object.map(Arc::new));
                Ok(false)
            }
            TableLine::Unpaid(line) => {
                self.unpaid.extend(line.object_ref());
                Ok(false)
            }
            TableLine::Gone(line) => {
                self.objects.extend(line.object_ref().map(|name| (name, None)));
                Ok(false)
            }
        }
    }

    fn start(&mut self, begin: BeginLine) -> Result<bool, BadTable> {
        if let Some(since) = begin.since
            && self.generation != Some(since)
        {
            return Err(BadTable::Unknown(since));
        }
        self.lines = 1;
        self.claims.clear();
        self.objects.clear();
        self.unpaid.clear();
        if begin.since.is_none() {
            self.secrets.clear();
        }
        self.begin = Some(begin);
        Ok(false)
    }

    fn finish(&mut self) -> Result<(), BadTable> {
        let begin = self.begin.take().ok_or(BadTable::NoBeginning)?;
        // Nothing changed.
        if begin.since == Some(begin.generation) {
            return Ok(());
        }
        let secrets = KnownSecrets::of_agent(self.secrets.clone());
        let known = self.preview.take().filter(|_| begin.since.is_some());
        let mut preview = match known {
            Some(mut known) => {
                known.set_secrets(secrets);
                known
            }
            None => {
                let (gateway, paths) = (begin.options.gateway()?, begin.options.paths());
                Preview::new(gateway, paths, secrets, &std::mem::take(&mut self.claims))
            }
        };
        for (name, object) in std::mem::take(&mut self.objects) {
            preview.serve(&name, object);
        }
        for name in std::mem::take(&mut self.unpaid) {
            preview.unpay(&name);
        }
        preview.settle();
        self.generation = Some(begin.generation);
        self.preview = Some(preview);
        Ok(())
    }

    /// The gateway, once it has been read completely.
    #[must_use]
    pub fn preview(&self) -> Option<&Preview> {
        self.preview.as_ref()
    }

    /// The number of its state.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }
}
