use std::collections::BTreeSet;
use std::sync::Arc;

use sealgate_model::resolved::Meaning;

use super::*;

fn chain(name: &str, hosts: &[&str]) -> Arc<FilterChain> {
    Arc::new(FilterChain {
        name: name.into(),
        server_names: hosts.iter().map(|host| Arc::from(*host)).collect(),
        ..FilterChain::plain(Meaning::default())
    })
}

#[test]
fn a_host_comes_in_by_the_chain_that_envoy_would_choose() {
    let port = ServedPort {
        number: 443,
        bind: 443,
        chains: vec![
            chain("wide", &["*.example"]),
            chain("exact", &["a.b.example"]),
            chain("narrow", &["*.b.example"]),
            chain("rest", &[]),
        ],
        told: Vec::new(),
        demands: false,
        prefixes: BTreeSet::new(),
        mirrors: Vec::new(),
        delays: false,
    };
    for (host, expected) in [
        ("a.b.example", "exact"),
        ("c.b.example", "narrow"),
        ("b.example", "wide"),
        ("example", "rest"),
    ] {
        assert_eq!(
            chain_of(&port, host).map(|chain| &*chain.name),
            Some(expected),
            "{host}"
        );
    }
}
