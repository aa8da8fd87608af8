//! One part of the table as bytes: a header (magic, version, the number of parts, its own number, the number of entries
//! of each kind), the directories of hosts and of demands, each sorted, and then names, demands and blocks, to which
//! the directories point.

mod encode;

use std::cmp::Ordering;

pub use self::encode::{EntryValue, TableEntry, encode_part};

use super::block::TableError;
use super::bytes::{ByteReader, Corrupt, field};
use super::key::{EntryKey, PARTS};

const MAGIC: &[u8; 4] = b"SGRT";
/// Changes whenever the meaning of the bytes does, including those of blocks.
const VERSION: u16 = 1;
const HEADER: usize = 20;

/// The length of a directory's record: the port with the kind of name, the offset and length of the name, and the
/// offset and length of what belongs to it.
const RECORD: usize = 20;

/// Whether a plugin's configuration is a part.
#[must_use]
pub fn is_part(configuration: &[u8]) -> bool {
    configuration.starts_with(MAGIC)
}

/// A kind of keys.
#[derive(Clone, Copy, Debug)]
pub(super) enum DirectoryKind {
    Hosts,
    Demands,
}

/// A part that is installed.
#[derive(Debug)]
pub(super) struct InstalledPart {
    pub(super) index: u16,
    bytes: Vec<u8>,
    counts: [usize; 2],
    /// The longest suffix among the wildcards of each kind, and whether there are any entries.
    longest: [Option<usize>; 2],
}

/// What belongs to a key, and the stored key itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'t> {
    pub(super) class: u32,
    pub(super) name: &'t [u8],
    pub(super) value: &'t [u8],
}

impl InstalledPart {
    /// Checks the header and the directories; what they point to is checked when a request needs it.
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, TableError> {
        let (index, counts) = header(&bytes)?;
        let mut part = Self {
            index,
            bytes,
            counts,
            longest: [None; 2],
        };
        let broken = |_| TableError::new(format!("part {index}"), "the directory is broken");
        for kind in [DirectoryKind::Hosts, DirectoryKind::Demands] {
            let longest = part.check(kind).map_err(broken)?;
            if let Some(own) = part.longest.get_mut(kind as usize) {
                *own = longest;
            }
        }
        Ok(part)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn longest(&self, kind: DirectoryKind) -> Option<usize> {
        self.longest.get(kind as usize).copied().flatten()
    }

    /// Checks that all entries belong to this part, are sorted, and point into the bytes.
    fn check(&self, kind: DirectoryKind) -> Result<Option<usize>, Corrupt> {
        let mut longest = None;
        let mut last = None;
        for record in self.directory(kind)? {
            let found = self.at(record)?;
            let key = found.key();
            if !key.is_valid() || key.part() != self.index || last.is_some_and(|last| last >= key) {
                return Err(Corrupt);
            }
            longest = longest.max(Some(key.suffix()));
            last = Some(key);
        }
        Ok(longest)
    }

    fn directory(&self, kind: DirectoryKind) -> Result<&[[u8; RECORD]], Corrupt> {
        let [hosts, demands] = self.counts;
        let mut reader = ByteReader(self.bytes.get(HEADER..).unwrap_or_default());
        let first = reader.records(hosts)?;
        match kind {
            DirectoryKind::Hosts => Ok(first),
            DirectoryKind::Demands => reader.records(demands),
        }
    }

    fn at(&self, record: &[u8; RECORD]) -> Result<Found<'_>, Corrupt> {
        let run = |at: usize| {
            let (begin, length) = (field(record, at)? as usize, field(record, at + 1)? as usize);
            let end = begin.checked_add(length).ok_or(Corrupt)?;
            self.bytes.get(begin..end).ok_or(Corrupt)
        };
        Ok(Found {
            class: field(record, 0)?,
            name: run(1)?,
            value: run(3)?,
        })
    }

    /// Everything that could be wrong was checked when the part was read.
    pub(super) fn find(&self, kind: DirectoryKind, key: &EntryKey<'_>) -> Option<Found<'_>> {
        let directory = self.directory(kind).ok()?;
        let place = directory.binary_search_by(|record| match self.at(record) {
            Ok(found) => found.key().cmp(key),
            Err(Corrupt) => Ordering::Less,
        });
        self.at(directory.get(place.ok()?)?).ok()
    }
}

impl<'t> Found<'t> {
    fn key(&self) -> EntryKey<'t> {
        EntryKey {
            class: self.class,
            name: self.name,
        }
    }
}

/// The part's number, and how many entries of each kind it has.
fn header(bytes: &[u8]) -> Result<(u16, [usize; 2]), TableError> {
    let refused = |reason: &str| TableError::new("part", reason);
    let mut reader = ByteReader(bytes);
    let mut take = |count| reader.bytes(count).map_err(|Corrupt| refused("is too short"));
    if take(MAGIC.len())? != MAGIC {
        return Err(refused("is none"));
    }
    let numbers = take(8)?.as_chunks::<2>().0;
    let number = |at: usize| numbers.get(at).copied().map_or(0, u16::from_le_bytes);
    if (number(0), number(1)) != (VERSION, PARTS) || number(3) != 0 {
        let reason = format!(
            "is of version {} with {} parts: this filter reads version {VERSION} with {PARTS}",
            number(0),
            number(1)
        );
        return Err(refused(&reason));
    }
    if number(2) >= PARTS {
        return Err(refused(&format!("is number {} of {PARTS}", number(2))));
    }
    let counts = take(8)?.as_chunks::<4>().0;
    let count = |at: usize| counts.get(at).copied().map_or(0, u32::from_le_bytes) as usize;
    Ok((number(2), [count(0), count(1)]))
}

#[cfg(test)]
#[path = "part/tests.rs"]
mod tests;
