//! What chance decides: which value, how many, and whether at all.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::pools::{HOSTS, REGEXES, STRINGS, WORDS};

/// Numbers, and what is none.
const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    42,
    80,
    100,
    200,
    204,
    301,
    304,
    404,
    443,
    503,
    599,
    600,
    999,
    15000,
    65535,
    65536,
    70000,
    2_147_483_647,
    2_147_483_648,
    4_294_967_295,
    4_294_967_296,
    i64::MAX,
    i64::MIN,
];

/// One in this many values may be odd.
const ODD: u32 = 7;

/// One of them: those in front are the plausible ones, and come more often. An object of nonsense alone is refused for the first
/// of it.
pub(super) fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    let plausible = from.len().div_ceil(3);
    let among = if once_in(rng, ODD) { from.len() } else { plausible };
    from.get(rng.usize(..among)).copied().unwrap_or_default()
}

/// True in one of this many cases.
pub(super) fn once_in(rng: &mut Rng, times: u32) -> bool {
    rng.u32(..times) == 0
}

/// A number.
pub(super) fn number(rng: &mut Rng) -> i64 {
    if !once_in(rng, ODD) {
        return rng.i64(1..=100);
    }
    NUMBERS
        .get(rng.usize(..NUMBERS.len()))
        .copied()
        .unwrap_or_default()
}

/// A status of HTTP, more often than not.
pub(super) fn status(rng: &mut Rng) -> i64 {
    let statuses = [200, 204, 205, 301, 304, 404, 421, 503, 599];
    if once_in(rng, ODD) {
        return number(rng);
    }
    statuses
        .get(rng.usize(..statuses.len()))
        .copied()
        .unwrap_or_default()
}

/// A text of any length, up to what a name may never have.
pub(super) fn long(rng: &mut Rng) -> String {
    let length = [60, 64, 253, 254, 256, 1_000, 4_096, 4_097, 9_000, 70_000];
    let length = length.get(rng.usize(..length.len())).copied().unwrap_or(64);
    let unit = pick(rng, &["a", "a.", "/a", "é", "-", "(", "%41"]);
    unit.repeat(length / unit.len().max(1) + 1)
}

/// Anything that JSON can say, for a field that wants something else.
pub(super) fn anything(rng: &mut Rng) -> Value {
    match rng.u8(..14) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 | 3 => json!(number(rng)),
        4 => json!(1.5e300),
        5 => json!([]),
        6 => json!({}),
        7 => json!(long(rng)),
        8 => json!([null, [], {}]),
        9 => json!({"": "", "a": null}),
        10 => json!(pick(rng, HOSTS)),
        11 => json!(pick(rng, REGEXES)),
        12 => json!(pick(rng, WORDS)),
        _ => json!(pick(rng, STRINGS)),
    }
}

/// Up to this many values, and sometimes one repeated: many small values are large together.
pub(super) fn list(rng: &mut Rng, most: usize, mut one: impl FnMut(&mut Rng) -> Value) -> Value {
    let mut all: Vec<Value> = (0..rng.usize(1..=most)).map(|_| one(rng)).collect();
    if once_in(rng, 80) {
        let first = all.first().cloned().unwrap_or_default();
        all.extend(std::iter::repeat_n(first, rng.usize(1..200)));
    }
    Value::Array(all)
}

/// A field, once in how many times it is there, and its value.
type Chance<'a> = (&'a str, u32, &'a dyn Fn(&mut Rng) -> Value);

/// Each field by chance.
pub(super) fn some(rng: &mut Rng, fields: &[Chance<'_>]) -> Value {
    let mut map = Map::new();
    for (name, once, value) in fields {
        if once_in(rng, *once) {
            map.insert((*name).to_owned(), value(rng));
        }
    }
    Value::Object(map)
}
