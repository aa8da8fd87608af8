//! What makes a table: any bytes. As a configuration, what is a table is one again after it was written, and decides; as
//! changes to a good part (three bytes each: place, and what is put there), the part is refused, or requests are decided
//! somehow.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use sealgate_core::explain::Question;
use sealgate_core::rules::TableConfig;
use sealgate_core::table::{RouteTable, encode_parts, part_of};

const HOST: &str = "a.example";
const GOOD: &str = r#"{"port": 443, "virtual_hosts": [{"domains": ["a.example"], "rules": [
    {"origin": {"virtual_service": "a/b", "rule": 0}, "matches": [{"uri": {"exact": "/a"}, "headers": [["x", {"regex": "1+"}]]},
        {"uri": {"prefix": "/a/b"}, "ignore_uri_case": true}], "action": {"direct": {"status": 200, "body": [1]}}},
    {"origin": {"virtual_service": "a/b", "rule": 1}, "matches": [{"uri": {"regex": "/r/1"}}, {"uri": {"regex": "/r/2"}},
        {"uri": {"regex": "/r/3"}}, {"uri": {"regex": "/r/4"}}, {"uri": {"regex": "/r/5"}}, {"uri": {"regex": "/r/6"}},
        {"uri": {"regex": "/r/7"}}, {"uri": {"regex": "/r/8"}}],
        "action": {"redirect": {"status": 301, "uri": "/x", "response": {"set": [["a", "b"]]}}}},
    {"origin": {"virtual_service": "a/b", "rule": 2, "name": "c"}, "action": {"route": {"destinations": [
        {"cluster": "c", "weight": 1}, {"cluster": "d", "weight": 2, "authority": "e"}], "path": {"regex": ["a", "b"]},
        "mirrors": [{"cluster": "m", "percent": 1.5}], "cors": {"origins": [{"prefix": "h"}]}}}}]}]}"#;
const PATHS: [&str; 6] = ["/", "/a", "/A/B/c?d=e", "/r/5", "*", ""];

struct Bench {
    table: RouteTable,
    part: Vec<u8>,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(bench());
}

fn bench() -> Bench {
    let config: TableConfig = serde_json::from_str(GOOD).unwrap();
    let mut parts = encode_parts([&config]).unwrap();
    Bench {
        table: RouteTable::from_configs([&config]).unwrap(),
        part: parts.swap_remove(usize::from(part_of(443, HOST))),
    }
}

fn decide(table: &RouteTable, port: u16, authority: &str) {
    for path in PATHS {
        let question = Question {
            authority: authority.to_owned(),
            path: path.to_owned(),
            headers: vec![
                ("x".to_owned(), "11".to_owned()),
                ("origin".to_owned(), "h".to_owned()),
            ],
            ..Question::default()
        };
        table.decide(port, &question, |_| 0.5);
    }
}

fn as_config(bytes: &[u8]) {
    let Ok(config) = serde_json::from_slice::<TableConfig>(bytes) else {
        return;
    };
    let text = serde_json::to_vec(&config).unwrap();
    assert_eq!(serde_json::from_slice::<TableConfig>(&text).unwrap(), config);
    let Ok(table) = RouteTable::from_configs([&config]) else {
        return;
    };
    let domains = config.virtual_hosts.iter().flat_map(|host| &host.domains);
    for domain in domains.take(8) {
        decide(&table, config.port, &domain.replace('*', "a"));
    }
}

fn as_changes(bytes: &[u8]) {
    BENCH.with_borrow_mut(|bench| {
        let mut part = bench.part.clone();
        for change in bytes.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % part.len();
            part[at] = change[2];
        }
        bench.table.install(part).ok();
        decide(&bench.table, 443, HOST);
    });
}

fuzz_target!(|bytes: &[u8]| {
    as_config(bytes);
    as_changes(bytes);
});
