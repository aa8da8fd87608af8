//! One part of the table as bytes. A header (magic, version, the number of parts, its own number, how many entries of
//! each kind), the directory of hosts and that of demands, each sorted, then names, demands and blocks, to which the
//! directories point.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::block::{HostBlock, TableError};
use super::bytes::{ByteReader, Corrupt, field, put};

/// Into how many parts the table is split. A change of one host re-sends one of them.
pub const PARTS: u16 = 64;

const MAGIC: &[u8; 4] = b"SGRT";
/// Moves with every change of what the bytes mean, those of blocks included.
const VERSION: u16 = 1;
const HEADER: usize = 20;

/// Of a directory: the port with the shape of the name, where the name lies and how long it is, where what belongs to
/// it lies and how long that is.
const RECORD: usize = 20;

/// In which part an entry is: FNV-1a over the port and the domain (`name`, `*.suffix` or `*`), the same everywhere.
#[must_use]
pub fn part_of(port: u16, domain: &str) -> u16 {
    EntryKey::of(port, domain).part()
}

/// Whether a plugin's configuration is a part.
#[must_use]
pub fn is_part(configuration: &[u8]) -> bool {
    configuration.starts_with(MAGIC)
}

/// A line of the table. A virtual host's domains and a server's are looked up by themselves: a host may be found by its
/// name, and its demand by a wildcard.
#[derive(Clone, Copy, Debug)]
pub struct TableEntry<'a> {
    /// The Gateway's port number.
    pub port: u16,
    /// `name`, `*.suffix` or `*`, lower-case.
    pub domain: &'a str,
    /// What there is of it.
    pub value: EntryValue<'a>,
}

/// What there is of a domain.
#[derive(Clone, Copy, Debug)]
pub enum EntryValue<'a> {
    /// The routes of its virtual host.
    Host(&'a HostBlock),
    /// What its server asks of a connection.
    Demand {
        /// Names the server, within the port: domains with the same name are of one server. It holds no space.
        server: &'a str,
        /// Its TLS policy; none if any connection will do.
        policy: Option<&'a str>,
    },
}

/// Assembles a part. Equal entries give equal bytes, in whatever order they come; equal blocks are there once.
///
/// # Errors
/// A domain that is there twice or belongs to another part, or more than a part can hold.
pub fn encode_part<'a>(
    index: u16,
    entries: impl IntoIterator<Item = TableEntry<'a>>,
) -> Result<Vec<u8>, TableError> {
    let (mut hosts, mut demands) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries {
        let key = EntryKey::of(entry.port, entry.domain);
        if key.part() != index {
            return Err(TableError::new(entry.domain, format!("is not of part {index}")));
        }
        let former = match entry.value {
            EntryValue::Host(block) => hosts.insert(key, block).map(drop),
            EntryValue::Demand { server, policy } => demands.insert(key, demand(server, policy)).map(drop),
        };
        if former.is_some() {
            return Err(TableError::new(entry.domain, "is there twice"));
        }
    }
    let mut bytes = Vec::new();
    bytes.extend_from_slice(MAGIC);
    for number in [VERSION, PARTS, index, 0] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    put(&mut bytes, hosts.len());
    put(&mut bytes, demands.len());
    let mut heap = Heap::after(bytes.len() + (hosts.len() + demands.len()) * RECORD);
    for (key, block) in &hosts {
        heap.record(key, block.as_bytes(), &mut bytes);
    }
    for (key, demand) in &demands {
        heap.record(key, demand.as_bytes(), &mut bytes);
    }
    bytes.extend_from_slice(&heap.bytes);
    if u32::try_from(bytes.len()).is_err() {
        return Err(TableError::new(format!("part {index}"), "is larger than 4 GB"));
    }
    Ok(bytes)
}

fn demand(server: &str, policy: Option<&str>) -> String {
    policy.map_or_else(|| server.to_owned(), |policy| format!("{server} {policy}"))
}

/// What the directories point to.
struct Heap<'a> {
    begin: usize,
    bytes: Vec<u8>,
    known: HashMap<&'a [u8], usize>,
}

impl<'a> Heap<'a> {
    fn after(begin: usize) -> Self {
        Self {
            begin,
            bytes: Vec::new(),
            known: HashMap::new(),
        }
    }

    fn record(&mut self, key: &EntryKey<'a>, value: &'a [u8], record: &mut Vec<u8>) {
        put(record, key.class as usize);
        for run in [key.name, value] {
            put(record, self.place(run));
            put(record, run.len());
        }
    }

    fn place(&mut self, run: &'a [u8]) -> usize {
        let next = self.begin + self.bytes.len();
        let place = *self.known.entry(run).or_insert(next);
        if place == next {
            self.bytes.extend_from_slice(run);
        }
        place
    }
}

/// By what an entry is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryKey<'a> {
    /// The port, and whether it is a wildcard.
    class: u32,
    /// A wildcard's is what follows its star.
    name: &'a [u8],
}

const WILDCARD: u32 = 1 << 16;

impl<'a> EntryKey<'a> {
    pub(super) fn of(port: u16, domain: &'a str) -> Self {
        match domain.strip_prefix('*') {
            Some(suffix) => Self::wildcard(port, suffix.as_bytes()),
            None => Self::exact(port, domain.as_bytes()),
        }
    }

    pub(super) fn exact(port: u16, name: &'a [u8]) -> Self {
        Self {
            class: port.into(),
            name,
        }
    }

    pub(super) fn wildcard(port: u16, suffix: &'a [u8]) -> Self {
        Self {
            class: WILDCARD | u32::from(port),
            name: suffix,
        }
    }

    pub(super) fn part(&self) -> u16 {
        let star = if self.class & WILDCARD == 0 { "" } else { "*" };
        let port = (self.class as u16).to_le_bytes();
        let bytes = port.iter().chain(star.as_bytes()).chain(self.name);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // Of FNV's low bits alone, few depend on the last bytes.
        ((hash ^ (hash >> 32)) % u64::from(PARTS)) as u16
    }
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

/// What belongs to a key, and the key itself where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'t> {
    pub(super) class: u32,
    pub(super) name: &'t [u8],
    pub(super) value: &'t [u8],
}

impl InstalledPart {
    /// Looks at the header and the directories; what they point to is looked at when a request asks for it.
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

    /// Every entry is of this part, behind the one before it, and points into the bytes.
    fn check(&self, kind: DirectoryKind) -> Result<Option<usize>, Corrupt> {
        let mut longest = None;
        let mut last = None;
        for record in self.directory(kind)? {
            let found = self.at(record)?;
            let key = found.key();
            if key.class >> 17 != 0 || key.part() != self.index || last.is_some_and(|last| last >= key) {
                return Err(Corrupt);
            }
            let suffix = if key.class & WILDCARD == 0 {
                0
            } else {
                key.name.len()
            };
            longest = longest.max(Some(suffix));
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

    /// All that could be wrong was looked at when the part was read.
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
