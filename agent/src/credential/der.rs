//! Just enough DER to read what no library of ours reads (OCSP responses), and to refuse what ours reads and Envoy's
//! does not.

const CONSTRUCTED: u8 = 0x20;
/// As deep as Envoy's library goes; no certificate gets near it.
const DEEPEST: usize = 30;

/// A tag, its content, and what follows.
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) rest: &'a [u8],
}

/// The first value of `bytes`; none if it is cut off or not DER: a length has one form.
pub(super) fn value(bytes: &[u8]) -> Option<Value<'_>> {
    let (&tag, bytes) = bytes.split_first().filter(|(tag, _)| **tag & 0x1f != 0x1f)?;
    let (&first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(first), bytes),
        0x81..=0x84 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            let number = length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
            let minimal = number >= 0x80 && length.first() != Some(&0);
            (minimal.then_some(number)?, bytes)
        }
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    Some(Value { tag, content, rest })
}

/// The content of the first value, which must have this tag, and what follows.
pub(super) fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    value(bytes)
        .filter(|value| value.tag == tag)
        .map(|value| (value.content, value.rest))
}

/// Whether `bytes` are whole values, and so is what constructed ones hold.
pub(super) fn is_strict(bytes: &[u8]) -> bool {
    is_strict_within(bytes, DEEPEST)
}

fn is_strict_within(mut bytes: &[u8], depth: usize) -> bool {
    while !bytes.is_empty() {
        let Some(found) = value(bytes) else { return false };
        let is_leaf = found.tag & CONSTRUCTED == 0;
        if !is_leaf && (depth == 0 || !is_strict_within(found.content, depth - 1)) {
            return false;
        }
        bytes = found.rest;
    }
    true
}

/// Values that are read one after the other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next value; none if there is none.
    pub(super) fn any(&mut self) -> Option<Value<'a>> {
        let found = value(self.0)?;
        self.0 = found.rest;
        Some(found)
    }

    /// The content of the next value, if it has this tag; else it stays the next.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (content, rest) = expect(self.0, tag)?;
        self.0 = rest;
        Some(content)
    }

    /// The values within the next value, which must have this tag.
    pub(super) fn within(&mut self, tag: u8) -> Option<Self> {
        self.take(tag).map(Self)
    }

    /// Whether the next value has this tag.
    pub(super) fn next_is(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Option<()> {
        self.is_empty().then_some(())
    }
}
