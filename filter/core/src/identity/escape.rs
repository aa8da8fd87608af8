//! Percent-encoding (RFC 3986): a SAN is bytes, and a header is not.

/// What a list of SANs keeps as it is: visible ASCII but for what separates, quotes or escapes.
const LIST: &[u8] = b",;=\"%";
/// What stands between quotes in XFCC: the separators are safe there, a quote and what may escape it are not.
const QUOTED: &[u8] = b"\"\\%";

/// Values as one, joined by commas.
pub(super) fn list(values: &[Vec<u8>]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = values.iter().map(|value| encode(value, LIST)).collect();
    encoded.join(&b',')
}

/// A value for between quotes.
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

/// The bytes of a percent-encoded text; what is no escape stands for itself.
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
