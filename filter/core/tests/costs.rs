//! What a table costs, for whoever works on it: `cargo test --release -p sealgate-core --test costs -- --ignored --nocapture`.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "it says what it saw")]

use std::hint::black_box;
use std::time::Instant;

use sealgate_core::explain::Question;
use sealgate_core::rules::{
    Action, MatchConfig, RouteAction, RuleConfig, RuleOrigin, StringMatcher, TableConfig, VirtualHostConfig,
    WeightedCluster,
};
use sealgate_core::table::{EntryValue, HostBlock, PARTS, RouteTable, TableEntry, encode_part, part_of};

const PORT: u16 = 443;

fn host(domain: &str, rules: usize) -> VirtualHostConfig {
    let rule = |at: usize| RuleConfig {
        origin: RuleOrigin {
            virtual_service: format!("shop/{domain}"),
            rule: at,
            ..RuleOrigin::default()
        },
        matches: vec![MatchConfig {
            uri: Some(StringMatcher::Prefix(format!("/prefix/{at}/"))),
            ..MatchConfig::default()
        }],
        action: Action::Route(Box::new(RouteAction {
            destinations: vec![WeightedCluster {
                cluster: format!("outbound|80||service-{}.bench.svc.cluster.local", at % 100),
                weight: 100,
                ..WeightedCluster::default()
            }],
            ..RouteAction::default()
        })),
    };
    VirtualHostConfig {
        domains: vec![domain.to_owned()],
        rules: (0..rules).map(rule).collect(),
        ..VirtualHostConfig::default()
    }
}

/// Microseconds of one of many.
fn micros(times: usize, mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..times).for_each(|_| run());
    start.elapsed().as_secs_f64() * 1e6 / times as f64
}

fn table(hosts: Vec<VirtualHostConfig>) -> RouteTable {
    let config = TableConfig {
        port: PORT,
        virtual_hosts: hosts,
        ..TableConfig::default()
    };
    RouteTable::from_configs([&config]).unwrap()
}

#[test]
#[ignore = "it prints figures"]
fn what_a_table_costs() {
    for rules in [1, 10, 100, 10_000] {
        let config = host("a.example", rules);
        let size = HostBlock::encode(&config).unwrap().as_bytes().len();
        let encode = micros(1 + 10_000 / rules, || drop(black_box(HostBlock::encode(&config))));
        let table = table(vec![config]);
        let question = Question {
            authority: "a.example".to_owned(),
            path: format!("/prefix/{}/item", rules - 1),
            ..Question::default()
        };
        let decide = micros(200_000, || {
            drop(black_box(table.decide(PORT, &question, |_| 0.5)))
        });
        eprintln!(
            "{rules:>6} rules of one host: {} bytes a rule, {encode:.1} us to encode ({:.2} a rule), {decide:.3} us to decide",
            size / rules,
            encode / rules as f64
        );
    }
    let domains = (0..).map(|at| format!("host-{at}.example"));
    let domains: Vec<String> = domains
        .filter(|domain| part_of(PORT, domain) == 7)
        .take(100)
        .collect();
    let blocks: Vec<HostBlock> = domains
        .iter()
        .map(|domain| HostBlock::encode(&host(domain, 2)).unwrap())
        .collect();
    let entries = || {
        domains.iter().zip(&blocks).map(|(domain, block)| TableEntry {
            port: PORT,
            domain,
            value: EntryValue::Host(block),
        })
    };
    let assemble = micros(1_000, || drop(black_box(encode_part(7, entries()))));
    let part = encode_part(7, entries()).unwrap();
    let mut all = RouteTable::from_configs([]).unwrap();
    let install = micros(10_000, || drop(black_box(all.install(part.clone()))));
    eprintln!(
        "a part of 100 hosts with two rules each: {} bytes, {assemble:.1} us to assemble, {install:.1} us to install (with a copy)",
        part.len()
    );
    let many = (0..6_400)
        .map(|at| host(&format!("host-{at}.example"), 2))
        .collect();
    let all = table(many);
    let total: usize = (0..PARTS)
        .filter_map(|index| all.part(index))
        .map(<[u8]>::len)
        .sum();
    let mut question = Question {
        path: "/prefix/1/item".to_owned(),
        authority: "host-4711.example".to_owned(),
        ..Question::default()
    };
    let decide = micros(200_000, || drop(black_box(all.decide(PORT, &question, |_| 0.5))));
    question.authority = "a.b.c.unknown.example".to_owned();
    let unknown = micros(200_000, || drop(black_box(all.decide(PORT, &question, |_| 0.5))));
    eprintln!("6,400 hosts: {total} bytes, {decide:.3} us to decide, {unknown:.3} us for an unknown one");
}
