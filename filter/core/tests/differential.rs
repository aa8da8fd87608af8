//! The index against a naive matcher, on random tables and requests.
//!
//! `SEALGATE_DIFFERENTIAL_PAIRS` asks for more pairs of a table and a request, `SEALGATE_DIFFERENTIAL_SEED` for others.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and the run says what it saw"
)]

#[path = "differential/naive.rs"]
mod naive;
#[path = "differential/random.rs"]
mod random;
#[path = "differential/request.rs"]
mod request;
#[path = "differential/shrink.rs"]
mod shrink;

use std::collections::BTreeMap;

use fastrand::Rng;
use sealgate_core::decision::{NotFound, Outcome};
use sealgate_core::rules::{StringMatcher, TableConfig};
use sealgate_core::table::RouteTable;

use naive::{Naive, Verdict};
use request::Asked;

const REQUESTS_PER_TABLE: u64 = 100;

#[test]
fn the_index_decides_as_a_linear_scan_does() {
    let pairs = number("SEALGATE_DIFFERENTIAL_PAIRS").unwrap_or(200_000);
    let seed = number("SEALGATE_DIFFERENTIAL_SEED").unwrap_or(5);
    let mut naive = Naive::default();
    let mut seen = BTreeMap::new();
    for table_seed in (0..pairs.div_ceil(REQUESTS_PER_TABLE)).map(|at| seed << 32 | at) {
        let mut rng = Rng::with_seed(table_seed);
        let config = random::table(&mut rng);
        let table = RouteTable::from_configs(std::slice::from_ref(&config)).unwrap();
        for _ in 0..REQUESTS_PER_TABLE {
            let asked = random::request(&mut rng, &config);
            let expected = naive.decide(&config, &asked);
            if indexed(&table, &asked) != expected {
                fail(table_seed, config, &asked, &mut naive);
            }
            *seen.entry(kind(&config, expected)).or_insert(0_u64) += 1;
        }
    }
    let shares: Vec<_> = seen
        .iter()
        .map(|(kind, count)| format!("{kind} {:.1} %", *count as f64 / pairs as f64 * 100.0))
        .collect();
    eprintln!("{pairs} pairs from seed {seed}: {}", shares.join(", "));
    // A generator that never gets to a kind of answer would prove nothing of it.
    for kind in KINDS {
        let count = seen.get(kind).copied().unwrap_or_default();
        assert!(
            count * 200 > pairs,
            "only {count} of {pairs} pairs end with {kind}"
        );
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn indexed(table: &RouteTable, asked: &Asked) -> Verdict {
    let decision = table.decide(443, asked, |_| 0.0);
    match (decision.matched, decision.outcome) {
        (Some(matched), Outcome::Direct(_)) => Verdict::Rule {
            host: matched.origin.virtual_service.parse().unwrap(),
            rule: matched.origin.rule.to_native() as usize,
            block: matched.block,
        },
        (None, Outcome::Redirect { .. }) => Verdict::HttpsRedirect,
        (None, Outcome::NotFound(NotFound::Host)) => Verdict::NoHost,
        (None, Outcome::NotFound(NotFound::Rule)) => Verdict::NoRule,
        other => panic!("no rule of these tables does that: {other:?}"),
    }
}

const KINDS: [&str; 8] = [
    "no host",
    "no rule",
    "https redirect",
    "no match block",
    "no uri",
    "exact",
    "prefix",
    "regex",
];

/// What took the request, for the count.
fn kind(config: &TableConfig, verdict: Verdict) -> &'static str {
    let (host, rule, block) = match verdict {
        Verdict::NoHost => return "no host",
        Verdict::NoRule => return "no rule",
        Verdict::HttpsRedirect => return "https redirect",
        Verdict::Rule { block: None, .. } => return "no match block",
        Verdict::Rule {
            host,
            rule,
            block: Some(block),
        } => (host, rule, block),
    };
    let mut blocks = config.virtual_hosts[host].rules[rule].matches.iter();
    match &blocks.find(|own| own.index == block).unwrap().uri {
        None | Some(StringMatcher::Present) => "no uri",
        Some(StringMatcher::Exact(_)) => "exact",
        Some(StringMatcher::Prefix(_)) => "prefix",
        Some(StringMatcher::Regex(_)) => "regex",
    }
}

/// Shows the difference with a table that is as small as it can be.
fn fail(seed: u64, config: TableConfig, asked: &Asked, naive: &mut Naive) -> ! {
    let verdicts = |config: &TableConfig, naive: &mut Naive| {
        let table = RouteTable::from_configs(std::slice::from_ref(config)).unwrap();
        (indexed(&table, asked), naive.decide(config, asked))
    };
    let small = shrink::shrink(config, |config| {
        let (index, scan) = verdicts(config, naive);
        index != scan
    });
    let (index, scan) = verdicts(&small, naive);
    let table = serde_json::to_string_pretty(&small).unwrap();
    panic!("table seed {seed}: the index says {index:?}, the scan {scan:?}\n{asked:?}\n{table}");
}
