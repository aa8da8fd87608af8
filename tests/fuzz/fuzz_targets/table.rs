//! The filter's configuration: any bytes. What is a table is one again after it was written, and decides.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealgate_core::explain::Question;
use sealgate_core::table::{RouteTable, TableConfig};

fuzz_target!(|bytes: &[u8]| {
    let Ok(config) = serde_json::from_slice::<TableConfig>(bytes) else {
        return;
    };
    let text = serde_json::to_vec(&config).unwrap();
    assert_eq!(serde_json::from_slice::<TableConfig>(&text).unwrap(), config);
    let Ok(table) = RouteTable::compile(&config) else {
        return;
    };
    let domains = config.virtual_hosts.iter().flat_map(|host| &host.domains);
    for domain in domains.take(8) {
        for path in ["/", "/a/b?c=d", "*", ""] {
            let question = Question {
                authority: domain.replace('*', "a"),
                path: path.to_owned(),
                ..Question::default()
            };
            table.decide(&question, || 0.5);
        }
    }
});
