//! The Huffman code of RFC 7541, appendix B, as far as authorities need it. It is canonical: codes of the same length
//! are consecutive, in the order of their symbols, so the symbols are enough to construct it.

/// The symbols for each code length, starting with [`SHORTEST`] bits. Longer codes are only for characters that one
/// cannot type.
const SYMBOLS: [&[u8]; 11] = [
    b"012aceiost",
    b" %-./3456789=A_bdfghlmnpru",
    b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    b"&*,;XZ",
    b"",
    b"!\"()?",
    b"'+|",
    b"#>",
    b"\0$@[]~",
    b"^}",
    b"<`{",
];
const SHORTEST: usize = 5;
/// Padding of the last byte is shorter than a byte (5.2).
const LONGEST_FILLING: usize = 7;

/// The text; none if it has a symbol that is not known here, or an invalid end.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let (mut code, mut length) = (0, 0);
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| usize::from(byte >> at & 1)));
    for bit in bits {
        code = code << 1 | bit;
        length += 1;
        if length > SHORTEST + SYMBOLS.len() {
            return None;
        }
        if let Some(symbol) = symbol(code, length) {
            text.push(symbol);
            (code, length) = (0, 0);
        }
    }
    let is_filled = length <= LONGEST_FILLING && code == (1 << length) - 1;
    is_filled.then_some(text)
}

/// The symbol of this code, if there is one of this length.
fn symbol(code: usize, length: usize) -> Option<u8> {
    let mut first = 0;
    let shorter = SYMBOLS.get(..length.checked_sub(SHORTEST)?)?;
    for symbols in shorter {
        first = (first + symbols.len()) << 1;
    }
    let symbols = SYMBOLS.get(length - SHORTEST)?;
    symbols.get(code.checked_sub(first)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_examples_are_decoded() {
        for (bytes, text) in [
            (
                &[
                    0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
                ][..],
                "www.example.com",
            ),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (
                &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf],
                "custom-value",
            ),
            (&[], ""),
        ] {
            assert_eq!(decode(bytes).as_deref(), Some(text.as_bytes()), "{text}");
        }
    }

    /// The first and last codes of each length in appendix B.
    #[test]
    fn each_length_begins_and_ends_where_the_standard_says() {
        for (code, length, expected) in [
            (0x0, 5, b'0'),
            (0x9, 5, b't'),
            (0x14, 6, b' '),
            (0x2d, 6, b'u'),
            (0x5c, 7, b':'),
            (0x7b, 7, b'z'),
            (0xf8, 8, b'&'),
            (0xfd, 8, b'Z'),
            (0x3f8, 10, b'!'),
            (0x3fc, 10, b'?'),
            (0x7fa, 11, b'\''),
            (0x7fc, 11, b'|'),
            (0xffa, 12, b'#'),
            (0xffb, 12, b'>'),
            (0x1ff8, 13, b'\0'),
            (0x1ffd, 13, b'~'),
            (0x3ffc, 14, b'^'),
            (0x3ffd, 14, b'}'),
            (0x7ffc, 15, b'<'),
            (0x7ffe, 15, b'{'),
        ] {
            assert_eq!(symbol(code, length), Some(expected), "{code:x}");
        }
    }

    #[test]
    fn what_is_not_known_or_wrongly_filled_is_nothing() {
        // A backslash (19 bits), eight bits of padding, and invalid padding.
        for bytes in [&[0xff, 0xfe, 0x1f][..], &[0xff], &[0x00, 0x00]] {
            assert_eq!(decode(bytes), None, "{bytes:x?}");
        }
    }
}
