//! The grammar of certificates and revocation lists (RFC 5280, 4.1 and 5.1) to the letter, as Envoy's TLS library reads
//! it: ours is less strict.

use super::der::{self, Fields};

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u32 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const UNIVERSAL_STRING: u32 = 0x1c;
const BMP_STRING: u32 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const UNIQUE_IDS: [u8; 2] = [0x81, 0x82];
const EXTENSIONS: u8 = 0xa3;
const LIST_EXTENSIONS: u8 = 0xa0;
/// All strings but those that nobody uses, and what Envoy was seen to take besides: integers, bits, octets, sequences.
const NAME_KINDS: [u8; 12] = [2, 3, 4, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x1a, 0x1c, 0x1e, SEQUENCE];

/// What is wrong with a certificate that is otherwise readable.
pub(super) fn check(certificate: &[u8]) -> Result<(), &'static str> {
    signed(certificate).ok_or("not in DER").and_then(body)
}

/// Whether a revocation list is well formed.
pub(super) fn is_list(list: &[u8]) -> bool {
    signed(list).and_then(list_body).is_some()
}

/// What is signed, if the rest is well formed.
fn signed(whole: &[u8]) -> Option<Fields<'_>> {
    der::is_strict(whole).then_some(())?;
    let mut whole = Fields(whole);
    let mut fields = whole.within(SEQUENCE)?;
    whole.end()?;
    let body = fields.within(SEQUENCE)?;
    algorithm(&mut fields)?;
    bits(fields.take(BIT_STRING)?)?;
    fields.end().map(|()| body)
}

fn body(mut fields: Fields<'_>) -> Result<(), &'static str> {
    let version = fields.within(VERSION).map(|mut version| version.take(INTEGER));
    let first_version = match version {
        None | Some(Some([0])) => true,
        Some(Some([1 | 2])) => false,
        Some(_) => return Err("the version is not one of 1 to 3"),
    };
    let serial = fields.take(INTEGER).filter(|serial| is_minimal(serial));
    serial.ok_or("the serial number is not minimally encoded")?;
    algorithm(&mut fields).ok_or("the algorithm is not well formed")?;
    name(&mut fields).ok_or("the issuer is not well formed")?;
    validity(&mut fields).ok_or("a date is not in the form of RFC 5280")?;
    name(&mut fields).ok_or("the subject is not well formed")?;
    public_key(&mut fields).ok_or("the key is not well formed")?;
    for tag in UNIQUE_IDS {
        if let Some(id) = fields.take(tag) {
            bits(id)
                .filter(|()| !first_version)
                .ok_or("a unique identifier in a certificate of version 1")?;
        }
    }
    extensions(&mut fields, EXTENSIONS).ok_or("the extensions are not well formed")?;
    fields.end().ok_or("something follows the extensions")
}

fn list_body(mut fields: Fields<'_>) -> Option<()> {
    // A version, which the first has not.
    fields.take(INTEGER);
    algorithm(&mut fields)?;
    name(&mut fields)?;
    date(&fields.any()?)?;
    if fields.next_is(UTC_TIME) || fields.next_is(GENERALIZED_TIME) {
        date(&fields.any()?)?;
    }
    if let Some(mut entries) = fields.within(SEQUENCE) {
        while !entries.is_empty() {
            let mut entry = entries.within(SEQUENCE)?;
            entry.take(INTEGER).filter(|serial| is_minimal(serial))?;
            date(&entry.any()?)?;
            extensions_within(&mut entry)?;
            entry.end()?;
        }
    }
    extensions(&mut fields, LIST_EXTENSIONS)?;
    fields.end()
}

fn algorithm(fields: &mut Fields<'_>) -> Option<()> {
    let mut fields = fields.within(SEQUENCE)?;
    object_id(&mut fields)?;
    if fields.next_is(OBJECT_ID) {
        object_id(&mut fields)?;
    } else if fields.next_is(NULL) {
        fields.take(NULL).filter(|nothing| nothing.is_empty())?;
    } else {
        fields.take(SEQUENCE);
    }
    fields.end()
}

fn name(fields: &mut Fields<'_>) -> Option<()> {
    let mut sets = fields.within(SEQUENCE)?;
    while !sets.is_empty() {
        let mut set = sets.within(SET)?;
        while !set.is_empty() {
            let mut attribute = set.within(SEQUENCE)?;
            object_id(&mut attribute)?;
            let value = attribute.any()?;
            attribute
                .end()
                .filter(|()| NAME_KINDS.contains(&value.tag) && is_text(value.tag.into(), value.content))?;
        }
    }
    Some(())
}

fn validity(fields: &mut Fields<'_>) -> Option<()> {
    let mut dates = fields.within(SEQUENCE)?;
    date(&dates.any()?)?;
    date(&dates.any()?)?;
    dates.end()
}

fn date(date: &der::Value<'_>) -> Option<()> {
    let is_whole = match (date.tag, date.content.len()) {
        (UTC_TIME, 13) | (GENERALIZED_TIME, 15) => date.content.ends_with(b"Z"),
        // With an offset: against RFC 5280, and read all the same.
        (UTC_TIME, 17) => true,
        _ => false,
    };
    is_whole.then_some(())
}

fn public_key(fields: &mut Fields<'_>) -> Option<()> {
    let mut fields = fields.within(SEQUENCE)?;
    algorithm(&mut fields)?;
    bits(fields.take(BIT_STRING)?)?;
    fields.end()
}

fn extensions(fields: &mut Fields<'_>, tag: u8) -> Option<()> {
    let Some(mut wrapper) = fields.within(tag) else {
        return Some(());
    };
    wrapper.next_is(SEQUENCE).then_some(())?;
    extensions_within(&mut wrapper)?;
    wrapper.end()
}

fn extensions_within(fields: &mut Fields<'_>) -> Option<()> {
    let Some(mut extensions) = fields.within(SEQUENCE) else {
        return Some(());
    };
    while !extensions.is_empty() {
        let mut extension = extensions.within(SEQUENCE)?;
        object_id(&mut extension)?;
        extension.take(BOOLEAN);
        extension.take(OCTET_STRING)?;
        extension.end()?;
    }
    Some(())
}

fn object_id(fields: &mut Fields<'_>) -> Option<()> {
    let id = fields.take(OBJECT_ID)?;
    let ends = id.last().is_some_and(|last| last & 0x80 == 0);
    let mut starts = id.split_inclusive(|byte| byte & 0x80 == 0);
    (ends && starts.all(|part| part.first() != Some(&0x80))).then_some(())
}

/// Whether an integer's bytes are as few as can be.
fn is_minimal(integer: &[u8]) -> bool {
    match integer {
        [] => false,
        [0, next, ..] => *next >= 0x80,
        [0xff, next, ..] => *next < 0x80,
        _ => true,
    }
}

/// The first byte says how many bits of the last are padding, which is zero.
fn bits(content: &[u8]) -> Option<()> {
    let (&unused, bits) = content.split_first()?;
    let is_padded = match bits.last() {
        Some(last) => last.trailing_zeros() >= u32::from(unused),
        None => unused == 0,
    };
    (unused < 8 && is_padded).then_some(())
}

/// Whether an extension's value is one sequence.
pub(super) fn is_sequence(value: &[u8]) -> bool {
    let mut fields = Fields(value);
    der::is_strict(value) && fields.take(SEQUENCE).is_some() && fields.is_empty()
}

/// Whether a key usage, given as its extension's value, has digitalSignature.
pub(super) fn may_sign(usage: &[u8]) -> bool {
    let mut fields = Fields(usage);
    let usage = fields.take(BIT_STRING).filter(|usage| bits(usage).is_some());
    fields.is_empty() && matches!(usage, Some([_, first, ..]) if first & 0x80 != 0)
}

/// Whether a name's value can be written as UTF-8. Kinds that are not of text pass, as they do in Envoy.
pub(super) fn is_text(tag: u32, content: &[u8]) -> bool {
    match tag {
        UTF8_STRING => std::str::from_utf8(content).is_ok_and(|text| text.chars().all(is_character)),
        BMP_STRING => every_character(content, 2),
        UNIVERSAL_STRING => every_character(content, 4),
        _ => true,
    }
}

fn every_character(bytes: &[u8], width: usize) -> bool {
    bytes.chunks(width).all(|chunk| {
        let number = chunk
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte));
        chunk.len() == width && char::from_u32(number).is_some_and(is_character)
    })
}

/// Not one of Unicode's noncharacters.
fn is_character(c: char) -> bool {
    let number = u32::from(c);
    number & 0xfffe != 0xfffe && !(0xfdd0..=0xfdef).contains(&number)
}
