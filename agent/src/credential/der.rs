//! Just enough DER to read what no library of ours reads (OCSP responses).

/// A tag, its content, and what follows.
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) rest: &'a [u8],
}

/// The first value of `bytes`; none if it is cut off or not DER.
pub(super) fn value(bytes: &[u8]) -> Option<Value<'_>> {
    let (&tag, bytes) = bytes.split_first()?;
    let (&first, bytes) = bytes.split_first()?;
    let (length, bytes) = match first {
        0..=0x7f => (usize::from(first), bytes),
        0x81..=0x84 => {
            let (length, bytes) = bytes.split_at_checked(usize::from(first & 0x7f))?;
            (
                length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)),
                bytes,
            )
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
