//! By what the table's entries are found, and in which part each is.

/// Into how many parts the table is split. A change of one host re-sends one of them.
pub const PARTS: u16 = 64;

const WILDCARD: u32 = 1 << 16;

/// In which part an entry is: FNV-1a over the port and the domain (`name`, `*.suffix` or `*`), the same everywhere.
#[must_use]
pub fn part_of(port: u16, domain: &str) -> u16 {
    EntryKey::of(port, domain).part()
}

/// By what an entry is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryKey<'a> {
    /// The port, and whether it is a wildcard.
    pub(super) class: u32,
    /// A wildcard's is what follows its star.
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
        // Of FNV's low bits alone, few depend on the last bytes.
        ((hash ^ (hash >> 32)) % u64::from(PARTS)) as u16
    }

    /// Whether there can be such a key at all.
    pub(super) fn is_valid(&self) -> bool {
        self.class >> 17 == 0
    }

    /// The bytes that a wildcard has after its star; none of an exact name.
    pub(super) fn suffix(&self) -> usize {
        if self.class & WILDCARD == 0 {
            0
        } else {
            self.name.len()
        }
    }
}
