//! A request of any bytes against a table that has some of everything: lines of `authority`, `path`, then
//! `name: value`. Whoever takes it, a naive scan says the same.
#![no_main]

#[path = "../../../filter/core/tests/differential/naive.rs"]
mod naive;
#[path = "../../../filter/core/tests/differential/request.rs"]
mod request;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use naive::{Naive, Verdict};
use request::Asked;
use sealgate_core::config::HttpRoute;
use sealgate_core::convert;
use sealgate_core::decision::Outcome;
use sealgate_core::rules::{RuleOrigin, TableConfig, VirtualHostConfig};
use sealgate_core::table::RouteTable;
use serde_json::Value;

const HOSTS: &str = include_str!("../hosts.json");

struct Bench {
    config: TableConfig,
    table: RouteTable,
    naive: Naive,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(bench());
}

fn bench() -> Bench {
    let hosts: Vec<Value> = serde_json::from_str(HOSTS).unwrap();
    let virtual_hosts = hosts.iter().enumerate().map(|(at, host)| VirtualHostConfig {
        domains: serde_json::from_value(host["domains"].clone()).unwrap(),
        https_redirect: host["httpsRedirect"] == true,
        rules: serde_json::from_value::<Vec<HttpRoute>>(host["http"].clone())
            .unwrap()
            .iter()
            .enumerate()
            .map(|(rule, route)| {
                let origin = RuleOrigin {
                    virtual_service: at.to_string(),
                    rule,
                    ..RuleOrigin::default()
                };
                let kept: Vec<usize> = (0..route.r#match.len()).collect();
                convert::rule(origin, route, &kept, &mut |to| to.host.clone())
                    .unwrap()
                    .0
            })
            .collect(),
    });
    let config = TableConfig {
        port: 443,
        virtual_hosts: virtual_hosts.collect(),
        ..TableConfig::default()
    };
    let table = RouteTable::from_configs([&config]).unwrap();
    Bench {
        config,
        table,
        naive: Naive::default(),
    }
}

fn read(bytes: &[u8]) -> Asked {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut asked = Asked {
        authority: lines.next().unwrap_or_default().to_vec(),
        path: lines.next().unwrap_or_default().to_vec(),
        headers: Vec::new(),
    };
    for line in lines {
        // Pseudo headers begin with a colon.
        let colon = line.iter().skip(1).position(|byte| *byte == b':');
        if let Some(colon) = colon
            && let Ok(name) = std::str::from_utf8(&line[..=colon])
        {
            let value = line[colon + 2..].trim_ascii().to_vec();
            asked.headers.push((name.to_ascii_lowercase(), value));
        }
    }
    asked
}

fuzz_target!(|bytes: &[u8]| {
    let asked = read(bytes);
    BENCH.with_borrow_mut(|bench| {
        let decision = bench.table.decide(443, &asked, |_| 0.5);
        let expected = match bench.naive.decide(&bench.config, &asked) {
            Verdict::Rule { host, rule, block } => Some((host.to_string(), rule, block)),
            Verdict::NoHost | Verdict::NoRule | Verdict::HttpsRedirect => None,
        };
        let found = decision.matched.map(|matched| {
            (
                matched.origin.virtual_service.as_str().to_owned(),
                matched.origin.rule.to_native() as usize,
                matched.block,
            )
        });
        assert_eq!(found, expected, "{asked:?}");
        assert!(!matches!(decision.outcome, Outcome::Corrupt | Outcome::NotReady));
        if let Outcome::Route(route) = &decision.outcome {
            assert!(!route.destination.cluster.is_empty());
        }
    });
});
