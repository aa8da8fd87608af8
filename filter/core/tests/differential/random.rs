//! Tables and requests of few letters, so that they meet: prefixes within prefixes, the same path exact, as prefix and
//! as pattern, wildcards within wildcards, values that differ in case or in one byte.

use std::collections::HashSet;

use fastrand::Rng;
use sealgate_core::rules::{
    Action, DirectAction, MatchConfig, RuleConfig, RuleOrigin, StringMatcher, TableConfig, VirtualHostConfig,
};

use crate::request::Asked;

/// `é` and `É` are two bytes each, and ASCII's case is not theirs.
const PIECES: &[&str] = &[
    "/", "/", "/a", "/a", "/b", "/ab", "/A", "a", "b", "é", "É", "%2f", ";", ".", "\n",
];
/// Around the atoms of a pattern; the alternatives show one that is not anchored as a whole.
const HEADS: &[&str] = &[
    "", "", "", "", "^", "\\A", "(?i)", "(?s)", "(?m)^", "\\b", "/?", "[/a]", "|", "(?:)",
];
const TAILS: &[&str] = &[
    "",
    "",
    ".*",
    ".*",
    ".",
    "/?",
    "[ab]*",
    "(/[ab]+)?",
    "|/b",
    "|",
    "[^/]*",
    "\\xc3.*",
    "$",
    "(?i)a",
    "(?s).*",
    "\\z",
    "(?m)$",
    "\\B",
];
const COUNTS: &[&str] = &["", "", "", "", "?", "*", "+", "{2}", "{0,2}", "*?", "{0}"];
const BYTES: &[u8] = b"/aAb?#;%.\n\0\x80\xc3\xff";
const NAMES: &[&str] = &["x", "y", ":method", ":scheme", ":authority"];
const VALUES: &[&str] = &["", "1", "12", "2", "ab", "AB", "GET", "POST", "a.b", "é", "1,2"];
const VALUE_PATTERNS: &[&str] = &["", ".*", ".+", "1.*", "1|2", "[^1]*", "(?i)ab", "\\xc3.", "(?:.)"];
const PARAMS: &[&str] = &["a", "b", "", "A"];
const LABELS: &[&str] = &["a", "b", "ab", "é"];
const STARS: &[&str] = &["a", "b.a", "", "*", ".", "a.", "xa", "\u{e9}"];
const PORTS: &[&str] = &[":80", ":443", ":", ":x", ":80:80", ":8x", ".:80", ".", "..", ". "];

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn one_in(rng: &mut Rng, chances: u32) -> bool {
    rng.u32(..chances) == 0
}

pub(crate) fn table(rng: &mut Rng) -> TableConfig {
    let hosts = rng.usize(..6);
    let mut taken = HashSet::new();
    TableConfig {
        port: 443,
        virtual_hosts: (0..hosts)
            .map(|host| virtual_host(rng, host, &mut taken))
            .collect(),
        ..TableConfig::default()
    }
}

/// The rules are told apart by where they were "written": the place of their host, and their own.
fn virtual_host(rng: &mut Rng, host: usize, taken: &mut HashSet<String>) -> VirtualHostConfig {
    let domains = (0..rng.usize(1..4)).map(|_| domain(rng));
    let domains: Vec<String> = domains.filter(|domain| taken.insert(domain.clone())).collect();
    // Many regexes of one host are tried together.
    let (rules, regexes) = match rng.u32(..40) {
        0 => (rng.usize(50..200), false),
        1..=2 => (rng.usize(10..40), true),
        _ => (rng.usize(..9), false),
    };
    let rule = |rule| RuleConfig {
        origin: RuleOrigin {
            virtual_service: host.to_string(),
            rule,
            ..RuleOrigin::default()
        },
        matches: blocks(rng, rules, regexes),
        action: Action::Direct(DirectAction::default()),
    };
    VirtualHostConfig {
        domains,
        rules: (0..rules).map(rule).collect(),
        https_redirect: one_in(rng, 20),
    }
}

fn domain(rng: &mut Rng) -> String {
    match rng.u32(..12) {
        0 => "*".to_owned(),
        1 => "[::1]".to_owned(),
        2..=6 => format!("*.{}", name(rng)),
        _ => name(rng),
    }
}

fn name(rng: &mut Rng) -> String {
    let labels: Vec<_> = (0..rng.usize(1..4)).map(|_| pick(rng, LABELS)).collect();
    labels.join(".")
}

/// A rule that takes everything is rare where there are many, or the rest of them would never be tried.
fn blocks(rng: &mut Rng, rules: usize, regexes: bool) -> Vec<MatchConfig> {
    let blocks = if one_in(rng, 8 + 20 * rules as u32) {
        0
    } else {
        rng.usize(1..4)
    };
    // A block's place is not its number: others may have been left out before.
    let mut blocks: Vec<_> = (0..blocks).map(|at| block(rng, 2 * at + 1)).collect();
    for block in blocks.iter_mut().filter(|_| regexes) {
        block.uri = Some(StringMatcher::Regex(pattern(rng)));
    }
    blocks
}

fn block(rng: &mut Rng, index: usize) -> MatchConfig {
    let some = |rng: &mut Rng| if one_in(rng, 4) { rng.usize(1..3) } else { 0 };
    let conditions = |rng: &mut Rng, names: &[&str]| {
        let several = some(rng);
        (0..several)
            .map(|_| (pick(rng, names).to_owned(), value_matcher(rng)))
            .collect::<Vec<_>>()
    };
    let mut block = MatchConfig {
        index,
        uri: uri(rng),
        ignore_uri_case: one_in(rng, 4),
        headers: conditions(rng, NAMES),
        without_headers: conditions(rng, NAMES),
        query_params: conditions(rng, PARAMS),
    };
    if block.uri.is_none() && block.headers.is_empty() {
        block.headers.push(("x".to_owned(), value_matcher(rng)));
    }
    block
}

fn uri(rng: &mut Rng) -> Option<StringMatcher> {
    Some(match rng.u32(..32) {
        0..=2 => return None,
        3 => StringMatcher::Present,
        4..=14 => StringMatcher::Exact(text(rng)),
        15..=25 => StringMatcher::Prefix(text(rng)),
        _ => StringMatcher::Regex(pattern(rng)),
    })
}

fn pattern(rng: &mut Rng) -> String {
    let atoms: String = (0..rng.usize(..4)).map(|_| atom(rng)).collect();
    format!("{}{atoms}{}", pick(rng, HEADS), pick(rng, TAILS))
}

fn atom(rng: &mut Rng) -> String {
    let mut piece = || regex::escape(pick(rng, PIECES));
    let (one, other) = (piece(), piece());
    match rng.u32(..3) {
        0 => one,
        1 => format!("(?:{one}|{other}){}", pick(rng, COUNTS)),
        _ => format!("(?:{one}){}", pick(rng, COUNTS)),
    }
}

fn text(rng: &mut Rng) -> String {
    (0..rng.usize(..5)).map(|_| pick(rng, PIECES)).collect()
}

fn value_matcher(rng: &mut Rng) -> StringMatcher {
    match rng.u32(..4) {
        0 => StringMatcher::Present,
        1 => StringMatcher::Exact(pick(rng, VALUES).to_owned()),
        2 => StringMatcher::Prefix(pick(rng, VALUES).to_owned()),
        _ => StringMatcher::Regex(pick(rng, VALUE_PATTERNS).to_owned()),
    }
}

/// Mostly near a host of the table and one of its paths.
pub(crate) fn request(rng: &mut Rng, table: &TableConfig) -> Asked {
    let mut headers = Vec::new();
    for name in NAMES.iter().filter(|name| **name != ":authority") {
        let pseudo = name.starts_with(':');
        for _ in 0..if pseudo { 1 } else { rng.usize(..4) } {
            let mut value = pick(rng, VALUES).as_bytes().to_vec();
            if one_in(rng, 8) {
                value.push(pick(rng, BYTES));
            }
            headers.push(((*name).to_owned(), value));
        }
    }
    let near = match table.virtual_hosts.as_slice() {
        [] => None,
        _ if one_in(rng, 16) => None,
        hosts => Some(&hosts[rng.usize(..hosts.len())]),
    };
    Asked {
        authority: authority(rng, near),
        path: target(rng, near),
        headers,
    }
}

fn authority(rng: &mut Rng, near: Option<&VirtualHostConfig>) -> Vec<u8> {
    let mut name = match near {
        Some(host) if !host.domains.is_empty() => {
            let star = pick(rng, STARS);
            host.domains[rng.usize(..host.domains.len())].replace('*', star)
        }
        _ => name(rng),
    };
    if one_in(rng, 4) {
        name = name.to_ascii_uppercase();
    }
    if one_in(rng, 3) {
        name.push_str(pick(rng, PORTS));
    }
    let mut authority = name.into_bytes();
    if one_in(rng, 16) {
        spoil(rng, &mut authority);
    }
    authority
}

fn target(rng: &mut Rng, near: Option<&VirtualHostConfig>) -> Vec<u8> {
    let mut target = path(rng, near);
    if one_in(rng, 4) {
        target = target.to_ascii_uppercase();
    }
    for _ in 0..rng.usize(..4).saturating_sub(1) {
        spoil(rng, &mut target);
    }
    if one_in(rng, 2) {
        target.extend_from_slice(query(rng).as_bytes());
    }
    if one_in(rng, 16) {
        target.extend_from_slice(b"#e?a=1&b");
    }
    target
}

fn path(rng: &mut Rng, near: Option<&VirtualHostConfig>) -> Vec<u8> {
    let rules = near.into_iter().flat_map(|host| &host.rules);
    let blocks: Vec<_> = rules.flat_map(|rule| &rule.matches).collect();
    if !blocks.is_empty()
        && !one_in(rng, 4)
        && let Some(StringMatcher::Exact(text) | StringMatcher::Prefix(text)) = &pick(rng, &blocks).uri
    {
        return text.clone().into_bytes();
    }
    text(rng).into_bytes()
}

/// A byte more, another, or one less.
fn spoil(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.usize(..=bytes.len());
    match rng.u32(..3) {
        0 => bytes.insert(at, pick(rng, BYTES)),
        1 if at < bytes.len() => bytes[at] = pick(rng, BYTES),
        _ => bytes.truncate(at.max(bytes.len().saturating_sub(2))),
    }
}

fn query(rng: &mut Rng) -> String {
    let pairs: Vec<String> = (0..rng.usize(..4))
        .map(|_| {
            let sign = pick(rng, &["=", "=", "", "=="]);
            format!("{}{sign}{}", pick(rng, PARAMS), pick(rng, VALUES))
        })
        .collect();
    format!("{}{}", pick(rng, &["?", "?", "?", "??", "?&"]), pairs.join("&"))
}
