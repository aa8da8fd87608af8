//! Parses the fields of a header block, as far as is necessary to find the authority (RFC 7541, 6).

use http::uri::Authority;

use super::huffman;

const AUTHORITY: &[u8] = b":authority";
/// The index of [`AUTHORITY`] in the static table.
const AUTHORITY_INDEX: usize = 1;
/// No client sends longer integers.
const LONGEST_INTEGER: u32 = 21;

/// A block with another authority; none if it has a valid one, or cannot be read.
pub(super) fn with_an_authority(block: &[u8]) -> Option<Vec<u8>> {
    let mut rest = block;
    while let Some(first) = rest.first() {
        let prefix = match first {
            // A field from a table, or a table's new size.
            0x80.. => {
                (_, rest) = integer(rest, 7)?;
                continue;
            }
            0x20..0x40 => {
                (_, rest) = integer(rest, 5)?;
                continue;
            }
            0x40..0x80 => 6,
            ..0x20 => 4,
        };
        let (index, after) = integer(rest, prefix)?;
        let (is_authority, after) = if index == 0 {
            let (name, after) = string(after)?;
            (name.is_some_and(|name| name == AUTHORITY), after)
        } else {
            (index == AUTHORITY_INDEX, after)
        };
        let (value, after_value) = string(after)?;
        if is_authority {
            let value = good(&value?)?;
            let before = block.get(..block.len() - after.len())?;
            return Some([before, &literal(&value), after_value].concat());
        }
        rest = after_value;
    }
    None
}

/// A valid authority of the same length; none if the value already is one.
fn good(value: &[u8]) -> Option<Vec<u8>> {
    if value.is_empty() || Authority::try_from(value).is_ok() {
        return None;
    }
    let is_kept = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
    let good = value.iter().map(|byte| if is_kept(byte) { *byte } else { b'-' });
    Some(good.collect())
}

/// An integer with this many bits in its first byte (5.1), and the rest.
fn integer(bytes: &[u8], prefix: u32) -> Option<(usize, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let most = (1_usize << prefix) - 1;
    let mut value = usize::from(*first) & most;
    if value < most {
        return Some((value, rest));
    }
    for shift in (0..=LONGEST_INTEGER).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

/// A string (5.2), which is none if it cannot be decoded, and the rest.
fn string(bytes: &[u8]) -> Option<(Option<Vec<u8>>, &[u8])> {
    let is_huffman = bytes.first()? & 0x80 != 0;
    let (length, rest) = integer(bytes, 7)?;
    let (text, rest) = rest.split_at_checked(length)?;
    let text = if is_huffman {
        huffman::decode(text)
    } else {
        Some(text.to_vec())
    };
    Some((text, rest))
}

/// Encodes a string without Huffman coding.
fn literal(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match u8::try_from(text.len()) {
        Ok(length @ ..0x7f) => out.push(length),
        _ => {
            out.push(0x7f);
            let mut left = text.len() - 0x7f;
            while left >= 0x80 {
                out.push(u8::try_from(left & 0x7f).unwrap_or_default() | 0x80);
                left >>= 7;
            }
            out.push(u8::try_from(left).unwrap_or_default());
        }
    }
    out.extend_from_slice(text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_strings_are_as_the_standard_has_them() {
        assert_eq!(integer(&[0b0000_1010], 5), Some((10, &[][..])));
        assert_eq!(integer(&[0b0001_1111, 154, 10, 7], 5), Some((1337, &[7][..])));
        assert_eq!(integer(&[0x1f, 0xff, 0xff, 0xff, 0xff, 0xff], 5), None);
        for length in [0, 1, 126, 127, 128, 254, 255, 256, 16_000] {
            let text = vec![b'x'; length];
            let written = literal(&text);
            assert_eq!(string(&written), Some((Some(text), &[][..])), "{length}");
        }
    }

    #[test]
    fn the_new_value_is_as_long_as_the_old_one_and_good() {
        for bad in [
            "outbound|9000||sds.internal",
            "/run/a.sock",
            "a b",
            "%2Frun%2Fa",
            "a@",
            "[::1",
        ] {
            let value = good(bad.as_bytes()).unwrap();
            assert_eq!(value.len(), bad.len());
            assert!(Authority::try_from(value.as_slice()).is_ok(), "{bad}");
        }
        assert_eq!(
            good(b"outbound|9000||sds.internal"),
            Some(b"outbound-9000--sds.internal".to_vec())
        );
        for fine in ["sealgate", "a.example:443", "[::1]:80", ""] {
            assert_eq!(good(fine.as_bytes()), None, "{fine}");
        }
    }
}
