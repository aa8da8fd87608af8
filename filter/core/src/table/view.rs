//! One virtual host's routes, read in place.

use super::block::RECORD;
use super::bytes::{ByteReader, Corrupt, Numbers, field, run};
use super::condition::view;
use super::index::{BlockPatterns, Candidates, PathIndex, Position};
use crate::matcher::ValueMatcher;
use crate::regex::Regexes;
use crate::request::Request;
use crate::rules::{ArchivedMatchConfig, ArchivedRuleConfig};
use crate::undecided::Undecided;

/// A virtual host within the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostView<'t> {
    pub(crate) https_redirect: bool,
    rule_ends: Numbers<'t>,
    records: &'t [[u8; RECORD]],
    rules: &'t [u8],
    blocks: &'t [u8],
    index: PathIndex<'t>,
}

/// What takes a request: a rule, and the block if it has any.
pub(crate) type Taken<'t> = (&'t ArchivedRuleConfig, Option<&'t ArchivedMatchConfig>);

impl<'t> HostView<'t> {
    pub(super) fn read(bytes: &'t [u8]) -> Result<Self, Corrupt> {
        let mut reader = ByteReader(bytes);
        let https_redirect = match reader.word()? {
            0 => false,
            1 => true,
            _ => return Err(Corrupt),
        };
        let (rules, blocks) = (reader.count()?, reader.count()?);
        let (rule_bytes, block_bytes) = (reader.count()?, reader.count()?);
        Ok(Self {
            https_redirect,
            rule_ends: reader.records(rules)?,
            records: reader.records(blocks)?,
            rules: reader.bytes(rule_bytes)?,
            blocks: reader.bytes(block_bytes)?,
            index: PathIndex::read(&mut reader)?,
        })
    }

    /// The first block, in declared order, that takes a request.
    pub(crate) fn take(
        &self,
        request: &impl Request,
        regexes: &Regexes,
    ) -> Result<Option<Taken<'t>>, Undecided> {
        let mut candidates = self.candidates(request.path())?;
        while let Some(at) = candidates.next(self, regexes)? {
            let block = self.block(at)?;
            let holds = block.map_or(Ok(true), |block| block.holds(request, regexes))?;
            if holds {
                return Ok(Some((self.rule(at)?, block)));
            }
        }
        Ok(None)
    }

    pub(super) fn candidates<'p>(&self, path: &'p [u8]) -> Result<Candidates<'t, 'p>, Corrupt> {
        self.index.candidates(path)
    }

    fn record(&self, at: Position) -> Result<&'t [u8; RECORD], Corrupt> {
        self.records.get(at as usize).ok_or(Corrupt)
    }

    fn rule(&self, at: Position) -> Result<&'t ArchivedRuleConfig, Corrupt> {
        let rule = field(self.record(at)?, 0)? as usize;
        let bytes = self.rules.get(run(self.rule_ends, rule)?);
        view(bytes.ok_or(Corrupt)?)
    }

    fn block(&self, at: Position) -> Result<Option<&'t ArchivedMatchConfig>, Corrupt> {
        let begin = match at.checked_sub(1) {
            Some(before) => field(self.record(before)?, 1)? as usize,
            None => 0,
        };
        let end = field(self.record(at)?, 1)? as usize;
        let bytes = self.blocks.get(begin..end).ok_or(Corrupt)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        view(bytes).map(Some)
    }
}

impl<'t> BlockPatterns<'t> for HostView<'t> {
    fn pattern(&self, at: Position) -> Result<&'t str, Corrupt> {
        match self.block(at)?.and_then(ArchivedMatchConfig::wanted_uri) {
            Some(ValueMatcher::Regex(pattern)) => Ok(pattern),
            _ => Err(Corrupt),
        }
    }
}
