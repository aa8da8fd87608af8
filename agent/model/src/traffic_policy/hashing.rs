//! `loadBalancer.consistentHash`.

use sealgate_core::config::{ConsistentHash, HashCookie};

use super::PolicyProblems;
use crate::resolved::{HashBalancing, HashTable, HashedCookie, HashedValue};

const FIELD: &str = "loadBalancer.consistentHash";
/// Of a cookie's attribute, its name and its value.
const LONGEST_ATTRIBUTE: usize = 16_384;

/// None if nothing is hashed: then, as in Istio, a request goes to any endpoint.
pub(super) fn lower(own: &ConsistentHash, problems: &mut PolicyProblems) -> Option<HashBalancing> {
    one_of(
        &[
            ("httpHeaderName", own.http_header_name.is_some()),
            ("httpCookie", own.http_cookie.is_some()),
            ("useSourceIp", own.use_source_ip.is_some()),
            ("httpQueryParameterName", own.http_query_parameter_name.is_some()),
        ],
        problems,
    );
    let table = table(own, problems);
    let by = value(own, problems);
    let reason = "no header, cookie, query parameter or source address is named: requests go to any endpoint";
    problems.no_effect(FIELD, by.is_none(), reason);
    Some(HashBalancing { by: by?, table })
}

/// Of these fields, only one may be there.
fn one_of(fields: &[(&str, bool)], problems: &mut PolicyProblems) {
    let mut there = fields.iter().filter(|(_, is_there)| *is_there);
    if let (Some((first, _)), Some((second, _))) = (there.next(), there.next()) {
        problems.refuse(
            format!("{FIELD}.{second}"),
            format!("there is {first} too: only one can be"),
        );
    }
}

fn value(own: &ConsistentHash, problems: &mut PolicyProblems) -> Option<HashedValue> {
    if let Some(name) = &own.http_header_name {
        if !is_header(name) {
            let message = format!("{name:?} is not the name of a header");
            problems.refuse(format!("{FIELD}.httpHeaderName"), message);
        }
        return Some(HashedValue::Header(name.to_ascii_lowercase()));
    }
    if let Some(own) = &own.http_cookie {
        return Some(HashedValue::Cookie(cookie(own, problems)));
    }
    if let Some(name) = &own.http_query_parameter_name {
        if name.is_empty() {
            problems.refuse(format!("{FIELD}.httpQueryParameterName"), "it is empty");
        }
        return Some(HashedValue::QueryParameter(name.clone()));
    }
    (own.use_source_ip == Some(true)).then_some(HashedValue::SourceIp)
}

fn cookie(own: &HashCookie, problems: &mut PolicyProblems) -> HashedCookie {
    if own.name.is_empty() || !own.name.bytes().all(is_of_cookie_name) {
        let message = format!("{:?} is not the name of a cookie", own.name);
        problems.refuse(format!("{FIELD}.httpCookie.name"), message);
    }
    let path = own.path.clone().unwrap_or_default();
    if !path.bytes().all(is_of_cookie_value) {
        let message = format!("{path:?} is not the path of a cookie: no `;`, and visible ASCII alone");
        problems.refuse(format!("{FIELD}.httpCookie.path"), message);
    }
    let attributes = attributes(own, problems);
    let ttl = problems.duration(&format!("{FIELD}.httpCookie.ttl"), own.ttl.as_ref(), 0.0);
    HashedCookie {
        name: own.name.clone(),
        path,
        ttl,
        attributes,
    }
}

fn attributes(own: &HashCookie, problems: &mut PolicyProblems) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    for (at, own) in own.attributes.iter().enumerate() {
        let field = format!("{FIELD}.httpCookie.attributes[{at}]");
        let value = own.value.clone().unwrap_or_default();
        if own.name.len().max(value.len()) > LONGEST_ATTRIBUTE {
            let message = format!("longer than {LONGEST_ATTRIBUTE} bytes, which Envoy does not take");
            problems.refuse(field, message);
        } else if own.name.is_empty() || !own.name.bytes().all(is_of_cookie_name) {
            let message = format!("{:?} is not the name of a cookie's attribute", own.name);
            problems.refuse(format!("{field}.name"), message);
        } else if !value.bytes().all(is_of_cookie_value) {
            let message = format!(
                "{value:?} is not the value of a cookie's attribute: no `;`, and visible ASCII alone"
            );
            problems.refuse(format!("{field}.value"), message);
        }
        attributes.push((own.name.clone(), value));
    }
    let is_given = own.ttl.is_some();
    let field = format!("{FIELD}.httpCookie.attributes");
    let reason = "without `ttl` no client is given the cookie";
    problems.no_effect(&field, !attributes.is_empty() && !is_given, reason);
    attributes
}

fn table(own: &ConsistentHash, problems: &mut PolicyProblems) -> HashTable {
    one_of(
        &[
            ("ringHash", own.ring_hash.is_some()),
            ("maglev", own.maglev.is_some()),
        ],
        problems,
    );
    let is_newer = own.ring_hash.is_some() || own.maglev.is_some();
    problems.no_effect(
        &format!("{FIELD}.minimumRingSize"),
        own.minimum_ring_size.is_some() && is_newer,
        "it has been replaced by `ringHash` and `maglev`, and one of them is there",
    );
    if let Some(maglev) = &own.maglev {
        return HashTable::Maglev(maglev_size(maglev.table_size, problems));
    }
    let (field, size) = match &own.ring_hash {
        Some(ring) => ("ringHash.minimumRingSize", ring.minimum_ring_size),
        None => ("minimumRingSize", own.minimum_ring_size),
    };
    HashTable::Ring(ring_size(field, size, problems))
}

/// As with Istio, 0 says nothing.
fn ring_size(field: &str, size: Option<u64>, problems: &mut PolicyProblems) -> u32 {
    let Some(size) = size.filter(|size| *size > 0) else {
        return HashTable::RING;
    };
    let fits = u32::try_from(size).ok();
    fits.filter(|size| *size <= HashTable::MOST_OF_RING)
        .unwrap_or_else(|| {
            let message = format!("{size} is more than {}, Envoy's limit", HashTable::MOST_OF_RING);
            problems.refuse(format!("{FIELD}.{field}"), message);
            HashTable::RING
        })
}

fn maglev_size(size: Option<u64>, problems: &mut PolicyProblems) -> u32 {
    let Some(size) = size.filter(|size| *size > 0) else {
        return HashTable::MAGLEV;
    };
    let fits = u32::try_from(size).ok();
    fits.filter(|size| *size <= HashTable::MOST_OF_MAGLEV && is_prime(*size))
        .unwrap_or_else(|| {
            let most = HashTable::MOST_OF_MAGLEV;
            let message = format!("{size} is not a prime number up to {most}");
            problems.refuse(format!("{FIELD}.maglev.tableSize"), message);
            HashTable::MAGLEV
        })
}

/// Of numbers that Envoy takes: it tries some thousand divisors at most.
fn is_prime(number: u32) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && !divisors.any(|divisor| number.is_multiple_of(divisor))
}

/// Of HTTP/2, `:authority` and the like are headers too.
fn is_header(name: &str) -> bool {
    let name = name.strip_prefix(':').unwrap_or(name);
    !name.is_empty() && name.bytes().all(is_of_token)
}

/// RFC 9110, 5.6.2.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Envoy writes name and path into `set-cookie` as they are, and a name ends where a client's next cookie or value begins.
fn is_of_cookie_name(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b";=,\"".contains(&byte)
}

fn is_of_cookie_value(byte: u8) -> bool {
    (byte.is_ascii_graphic() || byte == b' ') && byte != b';'
}
