//! The keys of the table's entries, and the part in which each is.

/// The number of parts of the table. When a host changes, one of them is sent again.
pub const PARTS: u16 = 64;

const WILDCARD: u32 = 1 << 16;

/// The part of an entry: FNV-1a of the port and the domain (`name`, `*.suffix` or `*`), the same everywhere.
#[must_use]
pub fn part_of(port: u16, domain: &str) -> u16 {
    EntryKey::of(port, domain).part()
}

/// The key of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryKey<'a> {
    /// The port, and whether it is a wildcard.
    pub(super) class: u32,
    /// For a wildcard, what follows the `*`.
    pub(super) name: &'a [u8],
}

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
        // Few of FNV's low bits depend on the last bytes.
        ((hash ^ (hash >> 32)) % u64::from(PARTS)) as u16
    }

    /// Whether this key is possible.
    pub(super) fn is_valid(&self) -> bool {
        self.class >> 17 == 0
    }

    /// The number of bytes after a wildcard's `*`; 0 for an exact name.
    pub(super) fn suffix(&self) -> usize {
        if self.class & WILDCARD == 0 {
            0
        } else {
            self.name.len()
        }
    }
}
