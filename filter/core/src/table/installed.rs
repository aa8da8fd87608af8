//! The running table: one per worker, for all ports, in parts that arrive and are replaced one by one.

use std::collections::HashSet;

use super::block::{HostBlock, TableError};
use super::bytes::Corrupt;
use super::key::{EntryKey, PARTS, part_of};
use super::part::{DirectoryKind, EntryValue, Found, InstalledPart, TableEntry, encode_part};
use super::view::HostView;
use crate::host;
use crate::identity::Connection;
use crate::regex::Regexes;
use crate::rules::TableConfig;

/// See the module. It decides only once it is complete: otherwise, a wildcard would serve hosts that have not arrived
/// yet.
#[derive(Debug)]
pub struct RouteTable {
    parts: [Option<InstalledPart>; PARTS as usize],
    installed: u16,
    /// For each kind, over all parts: the longest suffix of a wildcard; none if there are no entries.
    longest: [Option<usize>; 2],
    pub(crate) regexes: Regexes,
}

/// What the server of a host requires of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demanded<'t> {
    /// The server, by a name that is only unique within the port.
    pub server: &'t [u8],
    /// Its TLS policy; none if any connection will do.
    pub policy: Option<&'t [u8]>,
}

impl Default for RouteTable {
    fn default() -> Self {
        Self {
            parts: [const { None }; PARTS as usize],
            installed: 0,
            longest: [None; 2],
            regexes: Regexes::default(),
        }
    }
}

impl RouteTable {
    /// Installs a part in place of the previous one, and returns its number. Reads only its directory.
    ///
    /// # Errors
    /// It is not a part, or has another version; the previous one stays.
    pub fn install(&mut self, bytes: Vec<u8>) -> Result<u16, TableError> {
        let part = InstalledPart::read(bytes)?;
        let index = part.index;
        if let Some(place) = self.parts.get_mut(usize::from(index)) {
            self.installed += u16::from(place.is_none());
            *place = Some(part);
        }
        self.longest = [DirectoryKind::Hosts, DirectoryKind::Demands].map(|kind| {
            self.parts
                .iter()
                .flatten()
                .filter_map(|part| part.longest(kind))
                .max()
        });
        Ok(index)
    }

    /// Whether every part is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.installed == PARTS
    }

    /// The parts that are not there, ascending.
    pub fn missing(&self) -> impl Iterator<Item = u16> {
        (0..PARTS).filter(|index| self.part(*index).is_none())
    }

    /// A part's bytes.
    #[must_use]
    pub fn part(&self, index: u16) -> Option<&[u8]> {
        self.parts
            .get(usize::from(index))?
            .as_ref()
            .map(InstalledPart::bytes)
    }

    /// Makes a whole table, from its parts.
    ///
    /// # Errors
    /// The first invalid pattern, or the first duplicate domain.
    pub fn from_configs<'c>(configs: impl IntoIterator<Item = &'c TableConfig>) -> Result<Self, TableError> {
        let mut table = Self::default();
        for part in encode_parts(configs)? {
            table.install(part)?;
        }
        Ok(table)
    }

    pub(crate) fn host(&self, port: u16, authority: &[u8]) -> Result<Option<HostView<'_>>, Corrupt> {
        let found = self.find(DirectoryKind::Hosts, port, authority);
        found.map(|found| HostView::read(found.value)).transpose()
    }

    /// What is required of connections for a host; none if it belongs to no server.
    #[must_use]
    pub fn demand(&self, port: u16, authority: &[u8]) -> Option<Demanded<'_>> {
        let text = self.find(DirectoryKind::Demands, port, authority)?.value;
        let mut words = text.splitn(2, |byte| *byte == b' ');
        Some(Demanded {
            server: words.next().unwrap_or_default(),
            policy: words.next(),
        })
    }

    /// Whether a request for `authority` may come on a connection; none if nothing is known about the connection. A
    /// host that belongs to no server is allowed: no rule will be found for it.
    ///
    /// What counts is what the chain that Envoy chose has checked, and the names that the client sends do not prove
    /// which one that is. But when a server's policy changes, connections to this server stay valid for its hosts while
    /// Envoy drains them, so that no request fails. For that, both the chain's name and the SNI must be the server's,
    /// because chains are named after the server's place in its Gateway, which may later be another server's. On a
    /// chain that servers share, only the policy counts.
    #[must_use]
    pub fn admits(&self, port: u16, authority: &[u8], connection: Option<&Connection<'_>>) -> bool {
        let Some(Demanded {
            server,
            policy: Some(policy),
        }) = self.demand(port, authority)
        else {
            return true;
        };
        connection.is_some_and(|connection| {
            let sni = connection.sni.unwrap_or_default().as_bytes();
            policy == connection.origin.policy.as_bytes()
                || (connection.origin.chain.as_bytes() == server
                    && self.demand(port, sni).is_some_and(|other| other.server == server))
        })
    }

    /// Exact, then the longest wildcard suffix, then `*`.
    fn find(&self, kind: DirectoryKind, port: u16, authority: &[u8]) -> Option<Found<'_>> {
        let longest = self.longest.get(kind as usize).copied().flatten()?;
        let name = host::normalize(authority);
        // From the left, so that the longest suffix comes first; never the whole name. Suffixes longer than any
        // wildcard's are skipped: a client may send a name with any number of dots.
        let dots = name
            .iter()
            .enumerate()
            .skip(1.max(name.len().saturating_sub(longest)));
        let suffixes = dots
            .filter(|(_, byte)| **byte == b'.')
            .filter_map(|(at, _)| name.get(at..));
        let keys = [EntryKey::exact(port, &name)].into_iter();
        let wildcards = suffixes
            .chain([&b""[..]])
            .map(|suffix| EntryKey::wildcard(port, suffix));
        keys.chain(wildcards).find_map(|key| {
            let part = self.parts.get(usize::from(key.part()))?.as_ref()?;
            part.find(kind, &key)
        })
    }
}

/// All parts of a table.
///
/// # Errors
/// The same as for [`RouteTable::from_configs`].
pub fn encode_parts<'c>(
    configs: impl IntoIterator<Item = &'c TableConfig>,
) -> Result<Vec<Vec<u8>>, TableError> {
    let configs: Vec<&TableConfig> = configs.into_iter().collect();
    let mut blocks = Vec::new();
    for config in &configs {
        let mut taken = HashSet::new();
        for (at, host) in config.virtual_hosts.iter().enumerate() {
            let place = format!("virtual_hosts[{at}]");
            if let Some(domain) = host.domains.iter().find(|domain| !taken.insert(domain.as_str())) {
                let reason = format!("{domain} is there twice");
                return Err(TableError::new(format!("{place}.domains"), reason));
            }
            let block = HostBlock::encode(host).map_err(|error| error.within(&place))?;
            blocks.push((config.port, host, block));
        }
    }
    let hosts = blocks.iter().flat_map(|(port, host, block)| {
        host.domains.iter().map(|domain| TableEntry {
            port: *port,
            domain,
            value: EntryValue::Host(block),
        })
    });
    assemble(hosts.chain(configs.iter().copied().flat_map(demands)))
}

/// What the servers of a port require of connections.
fn demands(config: &TableConfig) -> impl Iterator<Item = TableEntry<'_>> {
    config.policies.demands.iter().flat_map(move |demand| {
        let value = EntryValue::Demand {
            server: &demand.server,
            policy: demand.policy.as_deref(),
        };
        demand.domains.iter().map(move |domain| TableEntry {
            port: config.port,
            domain,
            value,
        })
    })
}

fn assemble<'a>(entries: impl Iterator<Item = TableEntry<'a>>) -> Result<Vec<Vec<u8>>, TableError> {
    let mut parts: Vec<Vec<TableEntry<'a>>> = vec![Vec::new(); PARTS.into()];
    for entry in entries {
        if let Some(part) = parts.get_mut(usize::from(part_of(entry.port, entry.domain))) {
            part.push(entry);
        }
    }
    (0..)
        .zip(parts)
        .map(|(index, part)| encode_part(index, part))
        .collect()
}
