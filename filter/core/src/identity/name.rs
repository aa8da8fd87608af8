//! Distinguished names as text (RFC 2253): the last part first, all values ASCII. The result is what Envoy's own
//! formatters print, except for a space at the end of a value, which a header would lose.

use std::fmt::Write as _;

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// How quotes and backslashes are written: RFC 2253 allows both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// `\"` and `\\`, as is common.
    Plain,
    /// `\22` and `\5C`: in quotes, as in XFCC, no backslash is before a quote or another backslash, so that no reader
    /// can be wrong about where the value ends.
    Quotable,
}

const UTF8_STRING: u32 = 0x0c;
const UNIVERSAL_STRING: u32 = 0x1c;
const BMP_STRING: u32 = 0x1e;
/// One byte per character: numeric, printable, T61 (read as Latin-1, as is common), IA5, visible; and dates.
const BYTE_STRINGS: [u32; 7] = [0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a];

/// The name as text; empty if it has no parts.
pub(super) fn text(name: &X509Name<'_>, flavour: Quoting) -> String {
    let mut parts: Vec<String> = name
        .iter()
        .map(|part| {
            let mut values: Vec<String> = part.iter().map(|value| attribute(value, flavour)).collect();
            values.reverse();
            values.join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>, flavour: Quoting) -> String {
    let kind = attribute.attr_type().to_id_string();
    let value = attribute.attr_value();
    let known = short_name(&kind);
    let text = known.and_then(|_| characters(value.tag().0, value.data));
    match (known, text) {
        (Some(name), Some(text)) => format!("{name}={}", escaped(&text, flavour)),
        // An unknown kind: its value could mean anything, so its encoding is shown.
        (name, _) => format!("{}=#{}", name.unwrap_or(&kind), encoded(value)),
    }
}

/// The value's DER in hex.
fn encoded(value: &x509_parser::asn1_rs::Any<'_>) -> String {
    use x509_parser::asn1_rs::ToDer as _;
    value
        .to_der_vec()
        .unwrap_or_else(|_| value.data.to_vec())
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02X}");
            text
        })
}

/// A string's characters; none if the kind is not text, or the bytes are invalid for it.
fn characters(tag: u32, bytes: &[u8]) -> Option<Vec<char>> {
    let wide = |width: usize| {
        let number = |chunk: &[u8]| chunk.iter().fold(0, |all, byte| all << 8 | u32::from(*byte));
        bytes
            .chunks(width)
            .map(|chunk| char::from_u32(number(chunk)).filter(|_| chunk.len() == width))
            .collect()
    };
    match tag {
        UTF8_STRING => Some(std::str::from_utf8(bytes).ok()?.chars().collect()),
        BMP_STRING => wide(2),
        UNIVERSAL_STRING => wide(4),
        tag if BYTE_STRINGS.contains(&tag) => Some(bytes.iter().copied().map(char::from).collect()),
        _ => None,
    }
}

fn escaped(characters: &[char], flavour: Quoting) -> String {
    let mut text = String::with_capacity(characters.len());
    for (at, character) in characters.iter().enumerate() {
        let (first, last) = (at == 0, at + 1 == characters.len());
        match character {
            '"' | '\\' if flavour == Quoting::Quotable => hex_pairs(&mut text, *character),
            // HTTP removes spaces at the end of a value, which would leave a lone backslash.
            ' ' if last => text.push_str("\\20"),
            ' ' | '#' if first => text.extend(['\\', *character]),
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => text.extend(['\\', *character]),
            ' '..='~' => text.push(*character),
            _ => hex_pairs(&mut text, *character),
        }
    }
    text
}

fn hex_pairs(text: &mut String, character: char) {
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        let _ = write!(text, "\\{byte:02X}");
    }
}

/// The names that OpenSSL, and therefore Envoy, prints.
fn short_name(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.15" => "businessCategory",
        "2.5.4.16" => "postalAddress",
        "2.5.4.17" => "postalCode",
        "2.5.4.20" => "telephoneNumber",
        "2.5.4.41" => "name",
        "2.5.4.42" => "GN",
        "2.5.4.43" => "initials",
        "2.5.4.44" => "generationQualifier",
        "2.5.4.45" => "x500UniqueIdentifier",
        "2.5.4.46" => "dnQualifier",
        "2.5.4.65" => "pseudonym",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        _ => return None,
    })
}
