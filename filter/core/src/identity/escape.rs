//! Percent-encoding (RFC 3986): a SAN may have any bytes, a header may not.

/// What is escaped in a list of SANs, besides everything but visible ASCII: separators, quotes and escapes.
const LIST: &[u8] = b",;=\"%";
/// The same in quotes in XFCC: separators are safe there, but quotes and what may escape them are not.
const QUOTED: &[u8] = b"\"\\%";

/// Joins values with commas.
pub(super) fn list(values: &[Vec<u8>]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = values.iter().map(|value| encode(value, LIST)).collect();
    encoded.join(&b',')
}

/// A value for use in quotes.
pub(super) fn quoted(value: &[u8]) -> Vec<u8> {
    encode(value, QUOTED)
}

fn encode(value: &[u8], escaped: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii_graphic() && !escaped.contains(byte) {
            text.push(*byte);
        } else {
            text.extend(format!("%{byte:02X}").bytes());
        }
    }
    text
}

/// The bytes of a percent-encoded text; everything but escapes stands for itself.
pub(super) fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                bytes.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
