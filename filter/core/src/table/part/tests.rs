use std::collections::BTreeSet;

use super::*;
use crate::decision::Outcome;
use crate::request::Request;
use crate::rules::{
    Action, DirectAction, MatchConfig, RuleConfig, RuleOrigin, StringMatcher, TableConfig, VirtualHostConfig,
};
use crate::table::{HostBlock, RouteTable, encode_parts, part_of};

struct Asked<'a>(&'a str, &'a str);

impl Request for Asked<'_> {
    fn authority(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.1.as_bytes()
    }

    fn header(&self, _: &str, each: &mut dyn FnMut(&[u8])) {
        each(b"1");
    }
}

fn rule(at: usize, uri: Option<StringMatcher>) -> RuleConfig {
    RuleConfig {
        origin: RuleOrigin {
            virtual_service: "ns/vs".to_owned(),
            rule: at,
            ..RuleOrigin::default()
        },
        matches: vec![MatchConfig {
            uri,
            headers: vec![("x".to_owned(), StringMatcher::Regex("[0-9]".to_owned()))],
            ..MatchConfig::default()
        }],
        action: Action::Direct(DirectAction::default()),
    }
}

fn host(domains: &[&str]) -> VirtualHostConfig {
    let prefix = |text: &str| Some(StringMatcher::Prefix(text.to_owned()));
    let regexes = (2..12).map(|at| rule(at, Some(StringMatcher::Regex(format!("/r/{at}/.*")))));
    VirtualHostConfig {
        domains: domains.iter().map(ToString::to_string).collect(),
        rules: [rule(0, prefix("/a")), rule(1, prefix("/a/b"))]
            .into_iter()
            .chain(regexes)
            .collect(),
        ..VirtualHostConfig::default()
    }
}

fn config() -> TableConfig {
    TableConfig {
        port: 443,
        virtual_hosts: vec![host(&["a.example", "*.example", "b.example"]), host(&["*"])],
        ..TableConfig::default()
    }
}

fn rule_of(table: &RouteTable, authority: &str, path: &str) -> Option<u32> {
    let decision = table.decide(443, &Asked(authority, path), |_| 0.0);
    decision.matched.map(|matched| matched.origin.rule.to_native())
}

#[test]
fn a_domain_is_in_the_same_part_for_ever() {
    let parts = [
        (443, "a.example", 39),
        (80, "a.example", 37),
        (443, "*.example", 53),
        (443, "*", 11),
        (443, "example", 22),
    ];
    let found: Vec<_> = parts
        .iter()
        .map(|(port, domain, _)| part_of(*port, domain))
        .collect();
    let expected: Vec<_> = parts.iter().map(|(_, _, part)| *part).collect();
    assert_eq!(
        found, expected,
        "a part that moves is not found by a filter of before"
    );
    let spread: BTreeSet<u16> = (0..1000)
        .map(|at| part_of(443, &format!("h{at}.example")))
        .collect();
    assert_eq!(spread.len(), usize::from(PARTS));
}

#[test]
fn what_is_put_in_is_found_in_whatever_order_it_came() {
    let block = HostBlock::encode(&host(&[])).unwrap();
    let other = HostBlock::encode(&VirtualHostConfig::default()).unwrap();
    let domains: Vec<String> = (0..)
        .map(|at| format!("h{at}.example"))
        .filter(|domain| part_of(443, domain) == 7)
        .take(20)
        .collect();
    let entries: Vec<TableEntry<'_>> = domains
        .iter()
        .enumerate()
        .flat_map(|(at, domain)| {
            let value = EntryValue::Host(if at % 3 == 0 { &other } else { &block });
            let demand = EntryValue::Demand {
                server: "s",
                policy: (at % 2 == 0).then_some("p"),
            };
            [value, demand].map(|value| TableEntry {
                port: 443,
                domain,
                value,
            })
        })
        .collect();
    let bytes = encode_part(7, entries.iter().copied()).unwrap();
    assert_eq!(encode_part(7, entries.iter().rev().copied()).unwrap(), bytes);
    let copies = bytes
        .windows(block.as_bytes().len())
        .filter(|run| *run == block.as_bytes());
    assert_eq!(copies.count(), 1, "equal blocks are there once");
    let part = InstalledPart::read(bytes).unwrap();
    for (at, domain) in domains.iter().enumerate() {
        let key = EntryKey::of(443, domain);
        let own = if at % 3 == 0 { &other } else { &block };
        assert_eq!(
            part.find(DirectoryKind::Hosts, &key).unwrap().value,
            own.as_bytes()
        );
        let demand = if at % 2 == 0 { "s p" } else { "s" };
        assert_eq!(
            part.find(DirectoryKind::Demands, &key).unwrap().value,
            demand.as_bytes()
        );
        assert!(
            part.find(DirectoryKind::Hosts, &EntryKey::of(80, domain))
                .is_none()
        );
    }
    assert!(encode_part(8, entries.iter().copied()).is_err(), "not its part");
    assert!(
        encode_part(7, entries.iter().chain(&entries).copied()).is_err(),
        "twice"
    );
}

#[test]
fn nothing_is_decided_before_every_part_is_there() {
    let mut parts = encode_parts(&[config()]).unwrap();
    let mut table = RouteTable::default();
    let last = parts.remove(usize::from(part_of(443, "a.example")));
    for part in parts {
        table.install(part).unwrap();
    }
    let missing = [part_of(443, "a.example")];
    assert_eq!(table.missing().collect::<Vec<_>>(), missing);
    let outcome = table.decide(443, &Asked("b.example", "/a"), |_| 0.0).outcome;
    assert!(matches!(outcome, Outcome::NotReady), "{outcome:?}");
    table.install(last).unwrap();
    assert!(table.is_complete());
    assert_eq!(rule_of(&table, "a.example", "/a"), Some(0));
    assert_eq!(rule_of(&table, "elsewhere", "/r/7/x"), Some(7));
    assert_eq!(rule_of(&table, "elsewhere", "/b"), None);
}

#[test]
fn a_part_of_another_version_is_refused_and_the_former_one_stays() {
    let mut table = RouteTable::from_configs(&[config()]).unwrap();
    let index = part_of(443, "a.example");
    let good = table.part(index).unwrap().to_vec();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let bad = [
        ("magic", with(0, b'X')),
        ("version", with(4, 2)),
        ("parts", with(6, 32)),
        ("number", with(8, 64)),
        ("another number", with(8, index as u8 ^ 1)),
        ("reserved", with(10, 1)),
        ("too many hosts", with(15, 1)),
        ("too many demands", with(19, 1)),
        ("empty", Vec::new()),
        ("cut off", good[..HEADER + 3].to_vec()),
        ("another thing", b"{}".to_vec()),
    ];
    for (what, bytes) in bad {
        assert!(table.install(bytes).is_err(), "{what}");
        assert_eq!(table.part(index), Some(good.as_slice()), "{what}");
    }
    assert_eq!(rule_of(&table, "a.example", "/a"), Some(0));
    table.install(good).unwrap();
}

/// With each byte of a part set to some other values, the part is rejected, or requests are decided somehow.
#[test]
fn whatever_the_bytes_are_nothing_panics() {
    let index = part_of(443, "a.example");
    let mut table = RouteTable::from_configs(&[config()]).unwrap();
    let good = table.part(index).unwrap().to_vec();
    let mut seen = [0; 3];
    for at in 0..good.len() {
        for mask in [0x01, 0x80, 0xff, 0x10] {
            let mut bytes = good.clone();
            bytes[at] ^= mask;
            if table.install(bytes).is_err() {
                seen[0] += 1;
                continue;
            }
            for path in ["/a/b/c", "/r/5/x", "/b"] {
                let outcome = table.decide(443, &Asked("a.example", path), |_| 0.0).outcome;
                seen[if matches!(outcome, Outcome::Corrupt) { 1 } else { 2 }] += 1;
            }
        }
        table.install(good[..at].to_vec()).ok();
        table.decide(443, &Asked("a.example", "/r/5/x"), |_| 0.0);
    }
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
}
