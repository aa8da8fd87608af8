//! Encodes a part.

use std::collections::{BTreeMap, HashMap};

use super::super::block::{HostBlock, TableError};
use super::super::bytes::put;
use super::super::key::{EntryKey, PARTS};
use super::{MAGIC, RECORD, VERSION};

/// An entry of the table. The domains of virtual hosts and of servers are looked up separately: a host may be found by
/// its name, and its demand by a wildcard.
#[derive(Clone, Copy, Debug)]
pub struct TableEntry<'a> {
    /// The Gateway's port number.
    pub port: u16,
    /// `name`, `*.suffix` or `*`, lower-case.
    pub domain: &'a str,
    /// The value.
    pub value: EntryValue<'a>,
}

/// The value for a domain.
#[derive(Clone, Copy, Debug)]
pub enum EntryValue<'a> {
    /// The routes of its virtual host.
    Host(&'a HostBlock),
    /// What its server requires of a connection.
    Demand {
        /// The name of the server, unique within the port: domains with the same name belong to one server. It contains
        /// no spaces.
        server: &'a str,
        /// Its TLS policy; none if any connection will do.
        policy: Option<&'a str>,
    },
}

/// Assembles a part. The bytes do not depend on the order of the entries; equal blocks are stored once.
///
/// # Errors
/// A domain that is duplicated or belongs to another part, or more entries than a part can have.
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
