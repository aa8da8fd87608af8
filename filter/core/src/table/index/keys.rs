//! Reading the flat radix tree: the numbers of keys, of their bytes and of their positions, then a record for each key,
//! then the bytes of all keys, then the positions.

use std::ops::Range;

use super::super::bytes::{ByteReader, Corrupt, Numbers, field};
use super::{CandidateSource, CandidateSources, RegexSet};
use crate::regex::Digest;

/// The ends of a key and of each of its lists, and its parent: the longest other key that this one begins with, counted
/// from 1, or 0. The lists are, in this order: blocks whose path must be the key, those whose path must begin with it,
/// and those with a regex whose matches all begin with it, if there are many (after the name of their set).
pub(super) const RECORD: usize = 20;
pub(super) const KEY: usize = 0;
pub(super) const EXACT: usize = 1;
pub(super) const PREFIX: usize = 2;
pub(super) const REGEXES: usize = 3;
pub(super) const PARENT: usize = 4;

/// The number of words in a set's name.
const NAME: usize = size_of::<Digest>() / 4;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys<'t> {
    records: &'t [[u8; RECORD]],
    /// Sorted.
    bytes: &'t [u8],
    positions: Numbers<'t>,
}

/// A key's record.
#[derive(Clone, Copy)]
struct KeyNode<'t> {
    at: usize,
    record: &'t [u8; RECORD],
    key: &'t [u8],
}

impl<'t> Keys<'t> {
    pub(super) fn read(reader: &mut ByteReader<'t>) -> Result<Self, Corrupt> {
        let (keys, bytes, positions) = (reader.count()?, reader.count()?, reader.count()?);
        Ok(Self {
            records: reader.records(keys)?,
            bytes: reader.bytes(bytes)?,
            positions: reader.records(positions)?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Collects all blocks that may match `path`.
    pub(super) fn collect(&self, path: &[u8], sources: &mut CandidateSources<'t>) -> Result<(), Corrupt> {
        let Some(last) = self.last_not_above(path)? else {
            return Ok(());
        };
        if last.key == path {
            sources.extend(self.list(self.exact(last)?)?);
        }
        // A key begins with its ancestors, so an ancestor's length is enough to know whether the path begins with it
        // too.
        let common = last.key.iter().zip(path).take_while(|(a, b)| a == b).count();
        let mut next = Some(last);
        while let Some(node) = next {
            if node.key.len() <= common {
                sources.extend(self.list(node.range(EXACT, PREFIX)?)?);
                sources.extend(self.set(node.range(PREFIX, REGEXES)?)?);
            }
            next = self.parent(node)?;
        }
        Ok(())
    }

    fn last_not_above(&self, path: &[u8]) -> Result<Option<KeyNode<'t>>, Corrupt> {
        let (mut low, mut high) = (0, self.records.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.node(middle)?.key <= path {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1).map(|last| self.node(last)).transpose()
    }

    fn node(&self, at: usize) -> Result<KeyNode<'t>, Corrupt> {
        let record = self.records.get(at).ok_or(Corrupt)?;
        let key = self.end_before(at, KEY)?..field(record, KEY)? as usize;
        let key = self.bytes.get(key).ok_or(Corrupt)?;
        Ok(KeyNode { at, record, key })
    }

    /// The end of what belongs to the previous key.
    fn end_before(&self, at: usize, what: usize) -> Result<usize, Corrupt> {
        let Some(before) = at.checked_sub(1) else {
            return Ok(0);
        };
        let record = self.records.get(before).ok_or(Corrupt)?;
        Ok(field(record, what)? as usize)
    }

    fn exact(&self, node: KeyNode<'t>) -> Result<Range<usize>, Corrupt> {
        Ok(self.end_before(node.at, REGEXES)?..field(node.record, EXACT)? as usize)
    }

    fn list(&self, range: Range<usize>) -> Result<Option<CandidateSource<'t>>, Corrupt> {
        let list = self.positions.get(range).ok_or(Corrupt)?;
        Ok((!list.is_empty()).then_some(CandidateSource::List(list)))
    }

    fn set(&self, range: Range<usize>) -> Result<Option<CandidateSource<'t>>, Corrupt> {
        let list = self.positions.get(range).ok_or(Corrupt)?;
        if list.is_empty() {
            return Ok(None);
        }
        let (name, positions) = list.split_first_chunk::<NAME>().ok_or(Corrupt)?;
        let name = Digest::try_from(name.as_flattened()).map_err(|_| Corrupt)?;
        Ok(Some(CandidateSource::Set(RegexSet { name, positions })))
    }

    /// It must come before its children; otherwise, there could be a cycle.
    fn parent(&self, node: KeyNode<'t>) -> Result<Option<KeyNode<'t>>, Corrupt> {
        let Some(parent) = field(node.record, PARENT)?.checked_sub(1) else {
            return Ok(None);
        };
        if parent as usize >= node.at {
            return Err(Corrupt);
        }
        self.node(parent as usize).map(Some)
    }
}

impl KeyNode<'_> {
    fn range(&self, begin: usize, end: usize) -> Result<Range<usize>, Corrupt> {
        Ok(field(self.record, begin)? as usize..field(self.record, end)? as usize)
    }
}
