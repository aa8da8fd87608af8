//! Headers of an HTTP/2 answer (RFC 7541). With `SETTINGS_HEADER_TABLE_SIZE` 0, the peer uses no dynamic table.

use anyhow::{Context as _, Result, bail};

/// A name and its value.
pub(super) type Field = (String, String);

/// Appendix A, from 1.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Appendix B is a canonical code: of ASCII, the length of each is all there is to say.
const LENGTHS: [u8; 128] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28,
];

/// The fields of a block, in order.
///
/// # Errors
/// It is none, or names a field of the dynamic table.
pub(super) fn fields(block: &[u8]) -> Result<Vec<Field>> {
    let mut rest = block;
    let mut fields = Vec::new();
    while let Some(first) = rest.first().copied() {
        match first {
            0x80.. => {
                let (name, value) = known(number(&mut rest, 7)?)?;
                fields.push((name.to_owned(), value.to_owned()));
            }
            0x40..0x80 => fields.push(literal(&mut rest, 6)?),
            // The size of the table: it is none.
            0x20..0x40 => drop(number(&mut rest, 5)?),
            _ => fields.push(literal(&mut rest, 4)?),
        }
    }
    Ok(fields)
}

fn known(index: usize) -> Result<(&'static str, &'static str)> {
    let at = index.checked_sub(1).context("index 0")?;
    STATIC
        .get(at)
        .copied()
        .with_context(|| format!("index {index} is dynamic"))
}

fn literal(rest: &mut &[u8], bits: u32) -> Result<Field> {
    let name = match number(rest, bits)? {
        0 => text(rest)?,
        index => known(index)?.0.to_owned(),
    };
    Ok((name, text(rest)?))
}

/// Section 5.1.
fn number(rest: &mut &[u8], bits: u32) -> Result<usize> {
    let most = (1_usize << bits) - 1;
    let mut value = usize::from(byte(rest)?) & most;
    if value < most {
        return Ok(value);
    }
    for shift in (0..28).step_by(7) {
        let next = byte(rest)?;
        value += usize::from(next & 0x7f) << shift;
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    bail!("a number is too long")
}

fn byte(rest: &mut &[u8]) -> Result<u8> {
    let (first, more) = rest.split_first().context("cut off")?;
    *rest = more;
    Ok(*first)
}

fn text(rest: &mut &[u8]) -> Result<String> {
    let is_huffman = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = number(rest, 7)?;
    let (own, more) = rest.split_at_checked(length).context("cut off")?;
    *rest = more;
    let bytes = if is_huffman { decode(own)? } else { own.to_vec() };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Bit by bit: after each, whether the code of that length is somebody's.
fn decode(coded: &[u8]) -> Result<Vec<u8>> {
    let mut order: Vec<(u8, u8)> = (0..)
        .zip(LENGTHS)
        .map(|(symbol, length)| (length, symbol))
        .collect();
    order.sort_unstable();
    let mut plain = Vec::new();
    let (mut code, mut length) = (0_u32, 0_u8);
    for at in 0..coded.len() * 8 {
        code = code << 1 | u32::from(coded[at / 8] >> (7 - at % 8) & 1);
        length += 1;
        if let Some(symbol) = symbol(&order, length, code) {
            plain.push(symbol);
            (code, length) = (0, 0);
        }
    }
    // What fills the last byte is ones.
    if length > 7 || code != (1 << length) - 1 {
        bail!("{coded:02x?}: not ASCII, or no such code");
    }
    Ok(plain)
}

/// `order` is by length, then by symbol: each code is the one before and 1, with zeros for what it is longer.
fn symbol(order: &[(u8, u8)], length: u8, code: u32) -> Option<u8> {
    let (mut own, mut last) = (0_u32, 0);
    for (bits, symbol) in order {
        if *bits > length {
            return None;
        }
        own <<= bits - last;
        last = *bits;
        if *bits == length && own == code {
            return Some(*symbol);
        }
        own += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_specification_is_read() {
        // RFC 7541, C.6.1, whose fields are literals.
        let block = [
            0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b, 0x61, 0x96, 0xd0, 0x7a, 0xbe,
            0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66, 0xe0, 0x82, 0xa6,
            0x2d, 0x1b, 0xff, 0x6e, 0x91, 0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8,
            0xe9, 0xae, 0x82, 0xae, 0x43, 0xd3,
        ];
        let expected = [
            (":status", "302"),
            ("cache-control", "private"),
            ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("location", "https://www.example.com"),
        ];
        let found = fields(&block).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, expected);
        fields(b"\xff\x80").unwrap_err();
        fields(b"\xbe").unwrap_err();
    }

    #[test]
    fn plain_texts_and_sizes_of_the_table_are_read() {
        assert_eq!(
            fields(b"\x20\x88\x00\x01a\x02bc").unwrap(),
            [
                (":status".to_owned(), "200".to_owned()),
                ("a".to_owned(), "bc".to_owned()),
            ]
        );
    }
}
