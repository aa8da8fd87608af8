use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::convert::ProblemCode;
use crate::decision::Outcome;
use crate::request::Request;
use crate::table::RouteTable;

/// A configuration, its table if it is accepted, and its problems.
fn read(text: &str) -> (PluginConfig, Option<RouteTable>, PluginReport) {
    let mut report = PluginReport::default();
    let config = PluginConfig::from_json(text.as_bytes(), &mut report);
    let table = routes(&config, &mut report);
    (config, table, report)
}

fn refusals(value: &Value) -> Vec<(PluginCode, String)> {
    let (_, table, report) = read(&value.to_string());
    let refused = report.problems().iter().filter(|problem| problem.refused);
    let refused: Vec<_> = refused
        .map(|problem| (problem.code, problem.place.clone()))
        .collect();
    assert_eq!(report.is_refused(), !refused.is_empty());
    assert!(refused.is_empty() || table.is_none());
    refused
}

fn one(spec: &Value) -> Value {
    json!({"routing": {"virtualServices": [spec]}})
}

fn service(rules: &Value) -> Value {
    one(&json!({"hosts": ["a.example"], "http": rules}))
}

struct Asked<'a>(&'a str, &'a str);

impl Request for Asked<'_> {
    fn authority(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn path(&self) -> &[u8] {
        self.1.as_bytes()
    }

    fn header(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        match name {
            ":scheme" => each(b"https"),
            ":method" => each(b"GET"),
            _ => {}
        }
    }
}

fn decided(table: &RouteTable, host: &str, path: &str) -> String {
    match table.decide(ROUTING_PORT, &Asked(host, path), |_| 0.0).outcome {
        Outcome::Route(route) => route.destination.cluster.to_string(),
        Outcome::Redirect { status, location, .. } => {
            format!("{status} {}", String::from_utf8_lossy(&location))
        }
        Outcome::Direct(direct) => direct.status.to_string(),
        Outcome::NotFound(why) => format!("{why:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn nothing_is_a_configuration() {
    for text in ["", " \n", "null", "{}", r#"{"identity": null, "routing": {}}"#] {
        let (config, table, report) = read(text);
        assert_eq!(config, PluginConfig::default(), "{text:?}");
        assert_eq!(config.identity, IdentityConfig::default());
        assert_eq!(config.unmatched, Unmatched::Pass);
        assert!(table.is_none() && report.problems().is_empty(), "{text:?}");
    }
}

#[test]
fn identity_has_the_words_of_the_annotation() {
    let text = json!({"identity": {
        "headers": ["verified", "uriSan"], "prefix": "X-Peer-Client-Cert-", "xfcc": "off", "clientCert": "leaf",
        "unverified": "show", "misdirected": "allow",
    }});
    let (config, _, report) = read(&text.to_string());
    assert_eq!(report.problems(), []);
    let annotation: IdentityConfig = serde_json::from_value(text["identity"].clone()).unwrap();
    assert_eq!(config.identity, annotation);
    assert_eq!(config.identity.prefix, "x-peer-client-cert-");
}

#[test]
fn what_needs_more_than_the_filter_is_said() {
    for (identity, place) in [
        (json!({"misdirected": "reject"}), "identity.misdirected"),
        (json!({"xfcc": "appendForward"}), "identity.xfcc"),
        (json!({"clientCert": "chain"}), "identity.clientCert"),
    ] {
        let (_, _, report) = read(&json!({"identity": identity}).to_string());
        let said: Vec<_> = report.problems().iter().map(|own| own.place.as_str()).collect();
        assert_eq!((said, report.is_refused()), (vec![place], false));
    }
}

#[test]
fn what_nobody_knows_is_refused_with_its_place() {
    for (text, place) in [
        (json!({"identiy": {}}), "identiy"),
        (json!([]), ""),
        (json!("identity"), ""),
        (json!({"identity": {"xfccs": "off"}}), "identity.xfccs"),
        (json!({"identity": {"xfcc": "on"}}), "identity.xfcc"),
        (json!({"identity": []}), "identity"),
        (
            json!({"identity": {"headers": ["verfied"]}}),
            "identity.headers[0]",
        ),
        (json!({"routing": {"unmatchd": "pass"}}), "routing.unmatchd"),
        (json!({"routing": {"unmatched": "drop"}}), "routing.unmatched"),
        (json!({"routing": []}), "routing"),
        (
            json!({"routing": {"virtualServices": {}}}),
            "routing.virtualServices",
        ),
        (one(&json!(1)), "routing.virtualServices[0]"),
        (
            one(&json!({"hosts": ["a"], "htp": []})),
            "routing.virtualServices[0].htp",
        ),
        (
            service(&json!([{"match": [{"uri": {"prefx": "/"}}]}])),
            "routing.virtualServices[0].http[0].match[0].uri.prefx",
        ),
        (
            one(&json!({"kind": "Gateway", "apiVersion": "networking.istio.io/v1", "spec": {}})),
            "routing.virtualServices[0].kind",
        ),
        (
            one(&json!({"kind": "VirtualService", "apiVersion": "v1", "spec": {}})),
            "routing.virtualServices[0].apiVersion",
        ),
        (
            one(&json!({"kind": "VirtualService", "apiVersion": "networking.istio.io/v1"})),
            "routing.virtualServices[0].spec",
        ),
        (
            one(&json!({"kind": "VirtualService", "apiVersion": "networking.istio.io/v1", "specs": {}})),
            "routing.virtualServices[0].specs",
        ),
    ] {
        assert_eq!(
            refusals(&text),
            [(PluginCode::Misread, place.to_owned())],
            "{text}"
        );
    }
    for text in ["{", "{} x", "\u{feff}{}", "nul", "'", "\0"] {
        let (_, _, report) = read(text);
        assert!(report.is_refused(), "{text:?}");
    }
    assert_eq!(
        refusals(&json!({"identity": {"prefix": "x-envoy-client-cert-"}})),
        [(PluginCode::BadIdentity, "identity.prefix".to_owned())]
    );
}

#[test]
fn what_takes_an_agent_is_refused_with_its_place() {
    let to = json!([{"destination": {"host": "b.example", "port": {"number": 80}}}]);
    for (rule, place) in [
        (json!({"mirror": {"host": "c.example"}}), "mirror"),
        (
            json!({"mirrors": [{"destination": {"host": "c.example"}}]}),
            "mirrors",
        ),
        (
            json!({"fault": {"delay": {"fixedDelay": "1s", "percentage": {"value": 1}}}}),
            "fault.delay",
        ),
        (json!({"match": [{"port": 443}]}), "match[0].port"),
        (json!({"match": [{"gateways": ["a"]}]}), "match[0].gateways"),
    ] {
        let mut rule = rule;
        rule["route"] = to.clone();
        let place = format!("routing.virtualServices[0].http[0].{place}");
        assert_eq!(
            refusals(&service(&json!([rule]))),
            [(PluginCode::NotCarriedOut, place)]
        );
    }
    let delegating = json!([{"delegate": {"name": "x"}}]);
    assert_eq!(
        refusals(&service(&delegating)),
        [(
            PluginCode::NotCarriedOut,
            "routing.virtualServices[0].http[0].delegate".to_owned()
        )]
    );
    let tcp = json!({"hosts": ["a"], "http": [{"route": to}], "tcp": [{}], "tls": [{}]});
    let places: Vec<_> = refusals(&one(&tcp)).into_iter().map(|(_, place)| place).collect();
    assert_eq!(
        places,
        ["routing.virtualServices[0].tls", "routing.virtualServices[0].tcp"]
    );
}

#[test]
fn destinations_have_full_names_and_ports() {
    let place = "routing.virtualServices[0].http[0].route[0].destination";
    for (destination, field) in [
        (json!({"host": "b.example"}), "port"),
        (json!({"host": "b.example", "port": {"number": 0}}), "port.number"),
        (
            json!({"host": "b.example", "port": {"number": 70000}}),
            "port.number",
        ),
        (json!({"host": "b", "port": {"number": 80}}), "host"),
        (json!({"host": "b|c.example", "port": {"number": 80}}), "host"),
        (
            json!({"host": "b.example", "port": {"number": 80}, "subset": "a|b"}),
            "subset",
        ),
    ] {
        let rules = json!([{"route": [{"destination": destination}]}]);
        assert_eq!(
            refusals(&service(&rules)),
            [(PluginCode::BadDestination, format!("{place}.{field}"))]
        );
    }
}

#[test]
fn hosts_and_rules_are_needed() {
    let rules = json!([{"directResponse": {"status": 200}}]);
    let at = |field: &str| format!("routing.virtualServices[0].{field}");
    assert_eq!(
        refusals(&one(&json!({"http": rules}))),
        [(PluginCode::NoHosts, at("hosts"))]
    );
    assert_eq!(
        refusals(&one(&json!({"hosts": ["a*"], "http": rules}))),
        [(PluginCode::BadHost, at("hosts[0]"))]
    );
    assert_eq!(
        refusals(&one(&json!({"hosts": ["a"]}))),
        [(PluginCode::NoRules, at("http"))]
    );
    let bad = json!([{"match": [{"uri": {"regex": "("}}], "directResponse": {"status": 200}}]);
    assert_eq!(
        refusals(&service(&bad)),
        [(
            PluginCode::Rule(ProblemCode::BadRegex),
            at("http[0].match[0].uri.regex")
        )]
    );
}

#[test]
fn rules_run_as_they_are_written() {
    let manifest = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "shop", "namespace": "web", "labels": {"a": "b"}},
        "status": {"whatever": 1},
        "spec": {
            "hosts": ["Shop.example", "*.shop.example"], "gateways": ["istio-system/edge"], "exportTo": ["."],
            "http": [
                {"match": [{"uri": {"prefix": "/cart"}}],
                    "route": [{"destination": {"host": "cart", "port": {"number": 8080.0}, "subset": "v2"}}]},
                {"match": [{"uri": {"exact": "/old"}}], "redirect": {"uri": "/new", "authority": "new.example"}},
                {"match": [{"uri": {"exact": "/tea"}}], "directResponse": {"status": 418}},
                {"match": [{"uri": {"prefix": "/mesh"}, "sourceLabels": {"app": "x"}}],
                    "directResponse": {"status": 500}},
                {"route": [{"destination": {"host": "web.other.svc.cluster.local", "port": {"number": 80}}}]},
                {"match": [{"uri": {"exact": "/dead"}}], "directResponse": {"status": 500}},
            ],
        },
    });
    let second = json!({
        "hosts": ["shop.example"],
        "http": [{"match": [{"uri": {"prefix": "/second"}}], "directResponse": {"status": 201}}],
    });
    let text = json!({"routing": {"unmatched": "reject", "virtualServices": [manifest, second]}});
    let (config, table, report) = read(&text.to_string());
    assert_eq!(report.problems(), []);
    assert_eq!(config.unmatched, Unmatched::Reject);
    let table = table.unwrap();
    for (host, path, expected) in [
        (
            "shop.example",
            "/cart/1",
            "outbound|8080|v2|cart.web.svc.cluster.local",
        ),
        (
            "SHOP.example:8443",
            "/cart/1",
            "outbound|8080|v2|cart.web.svc.cluster.local",
        ),
        ("a.shop.example", "/old?x=1", "301 https://new.example/new?x=1"),
        ("shop.example", "/tea", "418"),
        ("shop.example", "/second", "201"),
        (
            "a.shop.example",
            "/second",
            "outbound|80||web.other.svc.cluster.local",
        ),
        (
            "shop.example",
            "/mesh",
            "outbound|80||web.other.svc.cluster.local",
        ),
        (
            "shop.example",
            "/dead",
            "outbound|80||web.other.svc.cluster.local",
        ),
        ("other.example", "/", "Host"),
    ] {
        assert_eq!(decided(&table, host, path), expected, "{host}{path}");
    }
    for (word, expected) in [
        ("pass", Unmatched::Pass),
        ("continue", Unmatched::Pass),
        ("notFound", Unmatched::Reject),
    ] {
        let (config, ..) = read(&json!({"routing": {"unmatched": word}}).to_string());
        assert_eq!(config.unmatched, expected);
    }
}

/// JSON of any structure, mostly with keys and words that a configuration may have.
fn anything() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 40] = [
        "identity",
        "routing",
        "unmatched",
        "virtualServices",
        "headers",
        "prefix",
        "xfcc",
        "clientCert",
        "unverified",
        "misdirected",
        "verified",
        "off",
        "pass",
        "reject",
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "hosts",
        "http",
        "match",
        "uri",
        "exact",
        "regex",
        "route",
        "destination",
        "host",
        "port",
        "number",
        "weight",
        "redirect",
        "directResponse",
        "status",
        "rewrite",
        "fault",
        "abort",
        "corsPolicy",
        "retries",
        "timeout",
        "a.example",
    ];
    let word = || {
        prop_oneof![
            4 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
            1 => "\\PC{0,8}",
        ]
    };
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A valid configuration of which one value is replaced.
fn nearly_good() -> impl Strategy<Value = Value> {
    let good = json!({
        "identity": {"headers": ["verified"], "prefix": "x-client-cert-", "xfcc": "off", "clientCert": "leaf"},
        "routing": {"unmatched": "reject", "virtualServices": [{
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"namespace": "n"},
            "spec": {"hosts": ["a.example"], "http": [
                {"match": [{"uri": {"prefix": "/"}, "headers": {"x": {"regex": "a+"}}}],
                    "route": [{"destination": {"host": "b", "port": {"number": 80}}, "weight": 1}],
                    "headers": {"request": {"set": {"a": "b"}}}, "retries": {"attempts": 1}, "timeout": "1s"},
                {"redirect": {"uri": "/x"}},
            ]},
        }]},
    });
    let places: Vec<String> = pointers(&good);
    (prop::sample::select(places), anything()).prop_map(move |(place, value)| {
        let mut changed = good.clone();
        if let Some(own) = changed.pointer_mut(&place) {
            *own = value;
        }
        changed
    })
}

fn pointers(value: &Value) -> Vec<String> {
    let within: Vec<(String, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (at.to_string(), item))
            .collect(),
        Value::Object(fields) => fields.iter().map(|(key, item)| (key.clone(), item)).collect(),
        _ => Vec::new(),
    };
    let mut all = vec![String::new()];
    for (key, item) in within {
        all.extend(pointers(item).into_iter().map(|rest| format!("/{key}{rest}")));
    }
    all
}

proptest! {
    /// Any configuration is accepted or rejected; a rejection names an existing place, or its parent.
    #[test]
    fn no_configuration_is_too_strange(value in prop_oneof![anything(), nearly_good()]) {
        let (_, table, report) = read(&value.to_string());
        if let Some(table) = table {
            prop_assert!(!report.is_refused());
            let _ = decided(&table, "a.example", "/x");
        }
        for problem in report.problems() {
            prop_assert!(!problem.message.is_empty());
        }
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,64}") {
        let _ = read(&text);
    }
}
