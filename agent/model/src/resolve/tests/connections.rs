//! What hosts ask of the connections that they are asked for on.

use serde_json::{Value, json};

use super::*;
use crate::manifest;
use crate::resolve::ConnectionPolicy;

/// A server on port 443; with a bundle it demands certificates.
fn server(host: &str, certificate: &str, is_mutual: bool) -> Value {
    let mode = if is_mutual { "MUTUAL" } else { "SIMPLE" };
    json!({"port": {"number": 443, "protocol": "HTTPS"}, "hosts": [host],
        "tls": {"mode": mode, "credentialName": certificate}})
}

/// What is demanded of connections on a port with these Gateways, by host: each has one server, and an annotation.
fn demanded(gateways: &[(Value, &str)]) -> BTreeMap<String, ConnectionPolicy> {
    let objects = Objects::default();
    let mut resolver = Resolver::new(objects.gateway());
    for (at, (server, identity)) in gateways.iter().enumerate() {
        let mut meta = crate::Meta {
            namespace: "gw".into(),
            name: format!("n{at}").into(),
            ..crate::Meta::default()
        };
        if !identity.is_empty() {
            meta.annotations
                .insert(crate::annotation::IDENTITY.to_owned(), (*identity).to_owned());
        }
        let value = json!({"spec": {"selector": {"istio": "ingressgateway"}, "servers": [server]}});
        let entry = manifest::decode(Kind::Gateway, meta, value);
        assert!(entry.object.is_some(), "{:?}", entry.findings);
        resolver.take(&Moved {
            name: entry.object_ref,
            before: None,
            now: entry.object.map(Arc::new),
        });
    }
    settle(&mut resolver, &objects, &mut Ledger::default());
    let demands = resolver.routes.table().all_demands();
    demands
        .map(|((_, host), demand)| (host.to_string(), demand.clone()))
        .collect()
}

#[test]
fn a_port_of_equals_asks_nothing_of_connections() {
    // Which certificate the gateway showed does not matter.
    let simple = (server("a.example", "one", false), "");
    let other = (server("b.example", "two", false), "");
    assert!(demanded(&[simple.clone(), other]).is_empty());

    let mutual = (server("m.example", "one", true), "");
    let hosts = |demands: &BTreeMap<String, ConnectionPolicy>| demands.keys().cloned().collect::<Vec<_>>();
    assert_eq!(hosts(&demanded(std::slice::from_ref(&mutual))), ["m.example"]);

    let mixed = demanded(&[simple, mutual.clone()]);
    assert_eq!(hosts(&mixed), ["a.example", "m.example"]);
    assert!(mixed.values().all(|demand| demand.policy.is_some()));

    let open = (server("o.example", "one", false), "{misdirected: allow}");
    let with_open = demanded(&[mutual, open]);
    assert_eq!(hosts(&with_open), ["m.example", "o.example"]);
    assert!(with_open["o.example"].policy.is_none() && with_open["m.example"].policy.is_some());
}
