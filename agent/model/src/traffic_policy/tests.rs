use std::time::Duration;

use sealgate_core::config::TrafficPolicy;
use serde_json::{Value, json};

use super::problems::PolicyProblem;
use super::*;
use crate::locality::LocalityRef;
use crate::resolved::{
    Balancing, Ejection, HashBalancing, HashTable, HashedCookie, HashedValue, LocalityShares, NearLabel,
    Nearness, NextRegion, Placement, PoolLimits, Probes, SlowStart, UpstreamHttp,
};

fn policy(value: Value) -> TrafficPolicy {
    serde_json::from_value(value).unwrap()
}

fn lowered(value: Value) -> (UpstreamPolicy, Vec<PolicyProblem>) {
    let own = policy(value);
    let mut problems = PolicyProblems::default();
    let lowered = lower(&MergedPolicy::alone(&own), &mut problems);
    (lowered, problems.into_found())
}

/// One that is good.
fn good(value: Value) -> UpstreamPolicy {
    let (lowered, problems) = lowered(value.clone());
    assert_eq!(problems, [], "{value}");
    lowered
}

#[test]
fn a_subset_replaces_field_by_field_and_a_port_replaces_all() {
    let pool = |most: u32| json!({"tcp": {"maxConnections": most}});
    let port = |most: u32| json!([{"port": {"number": 443}, "connectionPool": pool(most)}]);
    let service = policy(
        json!({"connectionPool": pool(1), "loadBalancer": {"simple": "RANDOM"}, "portLevelSettings": port(2)}),
    );
    let subset = policy(json!({"connectionPool": pool(3)}));
    let ported = policy(json!({"loadBalancer": {"simple": "ROUND_ROBIN"}, "portLevelSettings": port(4)}));
    let random = Balancing::Random;
    for (subset, port, most, balancing) in [
        (None, 80, 1, random.clone()),
        (None, 443, 2, Balancing::default()),
        (Some(&subset), 80, 3, random.clone()),
        (Some(&subset), 443, 3, Balancing::default()),
        (Some(&ported), 80, 1, Balancing::RoundRobin(None)),
        (Some(&ported), 443, 4, Balancing::default()),
    ] {
        let merged = MergedPolicy::of(Some(&service), subset, port);
        let own = lower(&merged, &mut PolicyProblems::default());
        assert_eq!(
            (own.pool.connections, own.balancing),
            (Some(most), balancing),
            "{subset:?} {port}"
        );
    }
    assert_eq!(
        lower(&MergedPolicy::of(None, None, 1), &mut PolicyProblems::default()),
        UpstreamPolicy::default()
    );
}

#[test]
fn balancers_are_istios() {
    for (simple, expected) in [
        ("", Balancing::default()),
        ("UNSPECIFIED", Balancing::default()),
        ("LEAST_CONN", Balancing::default()),
        ("LEAST_REQUEST", Balancing::default()),
        ("ROUND_ROBIN", Balancing::RoundRobin(None)),
        ("RANDOM", Balancing::Random),
    ] {
        assert_eq!(
            good(json!({"loadBalancer": {"simple": simple}})).balancing,
            expected
        );
    }
    let slow = |minimum_percent, aggression| {
        Some(SlowStart {
            window: Duration::from_secs(90),
            minimum_percent,
            aggression,
        })
    };
    let warm = good(
        json!({"loadBalancer": {"warmup": {"duration": "1m30s", "minimumPercent": 5, "aggression": 2}}}),
    );
    assert_eq!(warm.balancing, Balancing::LeastRequest(slow(5.0, 2.0)));
    let old = good(json!({"loadBalancer": {"simple": "ROUND_ROBIN", "warmupDurationSecs": "90s"}}));
    assert_eq!(old.balancing, Balancing::RoundRobin(slow(10.0, 1.0)));
}

/// What `consistentHash` means if it is good.
fn hashing(own: Value) -> HashBalancing {
    match good(json!({"loadBalancer": {"consistentHash": own.clone()}})).balancing {
        Balancing::Hash(hashing) => hashing,
        other => panic!("{own}: {other:?}"),
    }
}

#[test]
fn what_is_hashed_is_one_of_four() {
    let cookie = |path: &str, ttl: Option<u64>| {
        HashedValue::Cookie(HashedCookie {
            name: "user".to_owned(),
            path: path.to_owned(),
            ttl: ttl.map(Duration::from_secs),
            attributes: Vec::new(),
        })
    };
    for (own, by) in [
        (
            json!({"httpHeaderName": "X-User"}),
            HashedValue::Header("x-user".to_owned()),
        ),
        (
            json!({"httpHeaderName": ":authority"}),
            HashedValue::Header(":authority".to_owned()),
        ),
        (json!({"httpCookie": {"name": "user"}}), cookie("", None)),
        (
            json!({"httpCookie": {"name": "user", "ttl": "0s"}}),
            cookie("", Some(0)),
        ),
        (
            json!({"httpCookie": {"name": "user", "path": "/a", "ttl": "1h"}}),
            cookie("/a", Some(3600)),
        ),
        (json!({"useSourceIp": true}), HashedValue::SourceIp),
        (
            json!({"httpQueryParameterName": "User"}),
            HashedValue::QueryParameter("User".to_owned()),
        ),
    ] {
        assert_eq!(hashing(own.clone()).by, by, "{own}");
    }
    for own in [json!({}), json!({"useSourceIp": false}), json!({"ringHash": {}})] {
        let (policy, _) = lowered(json!({"loadBalancer": {"consistentHash": own}}));
        assert_eq!(policy.balancing, Balancing::Random);
    }
}

#[test]
fn rings_and_tables_are_istios() {
    for (own, table) in [
        (json!({}), HashTable::Ring(1024)),
        (json!({"minimumRingSize": 0}), HashTable::Ring(1024)),
        (json!({"minimumRingSize": 7}), HashTable::Ring(7)),
        (json!({"ringHash": {}}), HashTable::Ring(1024)),
        (
            json!({"ringHash": {"minimumRingSize": 8_388_608}}),
            HashTable::Ring(8_388_608),
        ),
        (json!({"maglev": {}}), HashTable::Maglev(65_537)),
        (json!({"maglev": {"tableSize": 0}}), HashTable::Maglev(65_537)),
        (json!({"maglev": {"tableSize": 2}}), HashTable::Maglev(2)),
        (
            json!({"maglev": {"tableSize": 5_000_011}}),
            HashTable::Maglev(5_000_011),
        ),
    ] {
        let mut own = own;
        own["useSourceIp"] = json!(true);
        assert_eq!(hashing(own.clone()).table, table, "{own}");
    }
}

#[test]
fn hashing_that_envoy_or_a_client_would_not_take_is_refused() {
    for (own, field) in [
        (
            json!({"httpHeaderName": "x-user", "useSourceIp": true}),
            "useSourceIp",
        ),
        (
            json!({"httpCookie": {"name": "a"}, "httpQueryParameterName": "a"}),
            "httpQueryParameterName",
        ),
        (json!({"httpHeaderName": ""}), "httpHeaderName"),
        (json!({"httpHeaderName": ":"}), "httpHeaderName"),
        (json!({"httpHeaderName": "x user"}), "httpHeaderName"),
        (json!({"httpCookie": {"name": ""}}), "httpCookie.name"),
        (json!({"httpCookie": {"name": "a;b"}}), "httpCookie.name"),
        (json!({"httpCookie": {"name": "a\r\nx: y"}}), "httpCookie.name"),
        (
            json!({"httpCookie": {"name": "a", "path": "/\r\nx: y"}}),
            "httpCookie.path",
        ),
        (
            json!({"httpCookie": {"name": "a", "path": "/; Domain=b"}}),
            "httpCookie.path",
        ),
        (
            json!({"httpCookie": {"name": "a", "ttl": "-1s"}}),
            "httpCookie.ttl",
        ),
        (
            json!({"httpCookie": {"name": "a", "ttl": "1h", "attributes": [{"name": "a b"}]}}),
            "httpCookie.attributes[0].name",
        ),
        (
            json!({"httpCookie": {"name": "a", "ttl": "1h", "attributes": [{"name": "a"}, {"name": "b", "value": "c; d"}]}}),
            "httpCookie.attributes[1].value",
        ),
        (
            json!({"httpCookie": {"name": "a", "ttl": "soon"}}),
            "httpCookie.ttl",
        ),
        (json!({"httpQueryParameterName": ""}), "httpQueryParameterName"),
        (
            json!({"useSourceIp": true, "ringHash": {}, "maglev": {}}),
            "maglev",
        ),
        (
            json!({"useSourceIp": true, "ringHash": {"minimumRingSize": 8_388_609}}),
            "ringHash.minimumRingSize",
        ),
        (
            json!({"useSourceIp": true, "minimumRingSize": u64::MAX}),
            "minimumRingSize",
        ),
        (
            json!({"useSourceIp": true, "maglev": {"tableSize": 65_536}}),
            "maglev.tableSize",
        ),
        (
            json!({"useSourceIp": true, "maglev": {"tableSize": 1}}),
            "maglev.tableSize",
        ),
        (
            json!({"useSourceIp": true, "maglev": {"tableSize": 5_000_077}}),
            "maglev.tableSize",
        ),
    ] {
        let (_, problems) = lowered(json!({"loadBalancer": {"consistentHash": own.clone()}}));
        let fields: Vec<_> = problems
            .iter()
            .map(|problem| (&*problem.field, problem.is_refused))
            .collect();
        assert_eq!(
            fields,
            [(&*format!("loadBalancer.consistentHash.{field}"), true)],
            "{own}"
        );
    }
    let both = json!({"loadBalancer": {"simple": "RANDOM", "consistentHash": {"useSourceIp": true}}});
    let (_, problems) = lowered(both);
    assert_eq!(
        problems.first().map(|own| (&*own.field, own.is_refused)),
        Some(("loadBalancer.simple", true))
    );
}

#[test]
fn a_pool_has_every_limit() {
    let own = good(json!({"connectionPool": {
        "tcp": {"maxConnections": 1, "connectTimeout": "30ms", "maxConnectionDuration": "1h",
                "tcpKeepalive": {"probes": 3, "time": "7200s", "interval": "75s"}},
        "http": {"http1MaxPendingRequests": 2, "http2MaxRequests": 3, "maxRequestsPerConnection": 4, "maxRetries": 5,
                 "idleTimeout": "0s", "h2UpgradePolicy": "UPGRADE", "maxConcurrentStreams": 6},
    }}));
    let keepalive = Probes {
        count: Some(3),
        idle_s: Some(7200),
        interval_s: Some(75),
    };
    let expected = PoolLimits {
        connections: Some(1),
        connect: Some(Duration::from_millis(30)),
        lifetime: Some(Duration::from_secs(3600)),
        keepalive: Some(keepalive),
        pending: Some(2),
        requests: Some(3),
        requests_per_connection: Some(4),
        retries: Some(5),
        idle: Some(Duration::ZERO),
        version: Some(UpstreamHttp::Two),
        streams: Some(6),
    };
    assert_eq!(own.pool, expected);
    // Istio's numbers of 0 say nothing.
    let zero = good(
        json!({"connectionPool": {"http": {"maxRequestsPerConnection": 0, "maxRetries": 0, "useClientProtocol": true}}}),
    );
    assert_eq!(zero.pool.requests_per_connection, None);
    assert_eq!(zero.pool.version, Some(UpstreamHttp::Client));
}

#[test]
fn ejection_is_by_errors_in_a_row() {
    let own = good(
        json!({"outlierDetection": {"consecutive5xxErrors": 7, "consecutiveGatewayErrors": 0, "interval": "5m",
        "baseEjectionTime": "15m", "maxEjectionPercent": 100, "minHealthPercent": 20,
        "splitExternalLocalOriginErrors": true, "consecutiveLocalOriginFailures": 3}}),
    );
    let expected = Ejection {
        server_errors: Some(7),
        gateway_errors: Some(0),
        connection_errors: Some(Some(3)),
        interval: Some(Duration::from_secs(300)),
        base_time: Some(Duration::from_secs(900)),
        most_percent: Some(100),
        panic_percent: 20,
    };
    assert_eq!(own.ejection, Some(expected));
    assert_eq!(
        good(json!({"outlierDetection": {}})).ejection,
        Some(Ejection::default())
    );
}

#[test]
fn what_is_wrong_names_its_field() {
    for (own, field) in [
        (
            json!({"loadBalancer": {"simple": "MAGIC"}}),
            "loadBalancer.simple",
        ),
        (
            json!({"loadBalancer": {"warmup": {}}}),
            "loadBalancer.warmup.duration",
        ),
        (
            json!({"loadBalancer": {"warmup": {"duration": "1s", "aggression": 0.5}}}),
            "loadBalancer.warmup.aggression",
        ),
        (
            json!({"connectionPool": {"tcp": {"maxConnections": -1}}}),
            "connectionPool.tcp.maxConnections",
        ),
        (
            json!({"connectionPool": {"tcp": {"connectTimeout": "soon"}}}),
            "connectionPool.tcp.connectTimeout",
        ),
        (
            json!({"connectionPool": {"tcp": {"connectTimeout": "0s"}}}),
            "connectionPool.tcp.connectTimeout",
        ),
        (
            json!({"connectionPool": {"tcp": {"tcpKeepalive": {"time": "1ms"}}}}),
            "connectionPool.tcp.tcpKeepalive.time",
        ),
        (
            json!({"connectionPool": {"tcp": {"tcpKeepalive": {"interval": "32768s"}}}}),
            "connectionPool.tcp.tcpKeepalive.interval",
        ),
        (
            json!({"connectionPool": {"tcp": {"tcpKeepalive": {"probes": 128}}}}),
            "connectionPool.tcp.tcpKeepalive.probes",
        ),
        (
            json!({"connectionPool": {"http": {"maxRetries": 3_000_000_000_u32}}}),
            "connectionPool.http.maxRetries",
        ),
        (
            json!({"connectionPool": {"http": {"h2UpgradePolicy": "MAYBE"}}}),
            "connectionPool.http.h2UpgradePolicy",
        ),
        (
            json!({"connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE", "useClientProtocol": true}}}),
            "connectionPool.http.useClientProtocol",
        ),
        (
            json!({"outlierDetection": {"maxEjectionPercent": 101}}),
            "outlierDetection.maxEjectionPercent",
        ),
        (
            json!({"outlierDetection": {"interval": "0s"}}),
            "outlierDetection.interval",
        ),
        (
            json!({"proxyProtocol": {"version": "V3"}}),
            "proxyProtocol.version",
        ),
        (json!({"retryBudget": {"percent": 101}}), "retryBudget.percent"),
    ] {
        let (_, problems) = lowered(own.clone());
        let fields: Vec<_> = problems
            .iter()
            .map(|problem| (&*problem.field, problem.is_refused))
            .collect();
        assert_eq!(fields, [(field, true)], "{own}");
    }
}

#[test]
fn what_has_no_effect_is_said() {
    for (own, field) in [
        (
            json!({"loadBalancer": {"simple": "PASSTHROUGH"}}),
            "loadBalancer.simple",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {}}}),
            "loadBalancer.consistentHash",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {"useSourceIp": false}}}),
            "loadBalancer.consistentHash",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {"useSourceIp": true, "maglev": {}, "minimumRingSize": 1}}}),
            "loadBalancer.consistentHash.minimumRingSize",
        ),
        (
            json!({"loadBalancer": {"consistentHash": {"useSourceIp": true}, "warmup": {"duration": "1s"}}}),
            "loadBalancer.warmup",
        ),
        (
            json!({"loadBalancer": {"simple": "RANDOM", "warmup": {"duration": "1s"}}}),
            "loadBalancer.warmup",
        ),
        (
            json!({"connectionPool": {"tcp": {"idleTimeout": "1s"}}}),
            "connectionPool.tcp.idleTimeout",
        ),
        (
            json!({"outlierDetection": {"consecutiveErrors": 1}}),
            "outlierDetection.consecutiveErrors",
        ),
        (
            json!({"outlierDetection": {"consecutiveLocalOriginFailures": 1}}),
            "outlierDetection.consecutiveLocalOriginFailures",
        ),
    ] {
        let (_, problems) = lowered(own.clone());
        let fields: Vec<_> = problems
            .iter()
            .map(|problem| (&*problem.field, problem.is_refused))
            .collect();
        assert_eq!(fields, [(field, false)], "{own}");
    }
}

fn placement(setting: Value) -> Option<Placement> {
    good(json!({"loadBalancer": {"localityLbSetting": setting}})).placement
}

#[test]
fn localities_are_istios() {
    assert_eq!(
        good(json!({"loadBalancer": {"simple": "RANDOM"}})).placement,
        None
    );
    assert_eq!(placement(json!({"enabled": false})), Some(Placement::Equal));
    let silent = Placement::Nearest(Nearness::default());
    assert_eq!(placement(json!({})), Some(silent.clone()));
    assert_eq!(placement(json!({"enabled": true})), Some(silent));
    let place = |text| LocalityRef::parse(text).to_owned();
    assert_eq!(
        placement(
            json!({"distribute": [{"from": "us/a/*", "to": {"us/a/*": 80, "eu": 20}}],
            "failoverPriority": ["app"]})
        ),
        Some(Placement::Shares(vec![LocalityShares {
            from: place("us/a/*"),
            to: vec![(place("eu"), 20), (place("us/a/*"), 80)],
        }]))
    );
    let label = |key: &str, value: Option<&str>| NearLabel {
        key: key.to_owned(),
        value: value.map(str::to_owned),
    };
    assert_eq!(
        placement(
            json!({"failover": [{"from": "us", "to": "eu"}], "failoverPriority": ["a", "b=c", "d=e=f"]})
        ),
        Some(Placement::Nearest(Nearness {
            labels: vec![label("a", None), label("b", Some("c")), label("d", None)],
            regions: vec![NextRegion {
                from: "us".to_owned(),
                to: "eu".to_owned(),
            }],
        }))
    );
}

/// What is wrong with a setting: the fields within it.
fn refused_of(setting: Value) -> Vec<String> {
    let (lowered, problems) = lowered(json!({"loadBalancer": {"localityLbSetting": setting}}));
    let fields = problems.into_iter().map(|problem| {
        assert!(problem.is_refused, "{problem:?}");
        let field = problem.field.strip_prefix("loadBalancer.localityLbSetting.");
        field.map(str::to_owned).unwrap_or(problem.field)
    });
    let fields: Vec<_> = fields.collect();
    assert!(
        fields.is_empty() || lowered.placement == Some(Placement::Equal),
        "{lowered:?}"
    );
    fields
}

#[test]
fn localities_that_istio_refuses_are_refused() {
    let from = |entries: &[&str]| {
        let entries = entries.iter().map(|from| json!({"from": from, "to": {"*": 100}}));
        refused_of(json!({"distribute": entries.collect::<Vec<_>>()}))
    };
    for good in [
        &["*"][..],
        &["us"],
        &["us/*"],
        &["us/a/*"],
        &["us/a/1", "us/a/2"],
        &["us/a", "us/*", "*"],
    ] {
        assert_eq!(from(good), [""; 0], "{good:?}");
    }
    for bad in [
        &["us/*/1"][..],
        &["*/a"],
        &["us*/**"],
        &["us//1"],
        &[""],
        &["us", "us"],
        &["*", "us"],
        &["us/*", "us/a"],
        &["us", "us/a/1"],
        &["us/a", "us"],
        &["us/a/1", "us/a"],
        &["us/a/*", "us/a/1"],
    ] {
        assert_eq!(from(bad), ["distribute"], "{bad:?}");
    }
    let to = |to: Value| refused_of(json!({"distribute": [{"from": "us", "to": to}]}));
    assert_eq!(to(json!({"us/a": 50, "us/b": 50})), [""; 0]);
    assert_eq!(to(json!({"us/a": 50, "us/b": 49})), ["distribute[0].to"]);
    assert_eq!(to(json!({})), ["distribute[0].to"]);
    assert_eq!(
        to(json!({"us/a": 0, "us/b": 100})),
        ["distribute[0].to[\"us/a\"]"]
    );
    assert_eq!(
        to(json!({"us/a": 4_000_000_000_u32})),
        ["distribute[0].to[\"us/a\"]"]
    );
    assert_eq!(to(json!({"us/*": 50, "us/b": 50})), ["distribute[0].to"]);

    let failover = |from: &str, to: &str| refused_of(json!({"failover": [{"from": from, "to": to}]}));
    assert_eq!(failover("us", "eu"), [""; 0]);
    assert_eq!(failover("us", "us"), ["failover[0].to"]);
    assert_eq!(failover("us/a", "eu"), ["failover[0].from"]);
    assert_eq!(failover("us", "*"), ["failover[0].to"]);
    let both =
        json!({"distribute": [{"from": "us", "to": {"us": 100}}], "failover": [{"from": "us", "to": "eu"}]});
    assert_eq!(refused_of(both), ["failover"]);
    for label in [
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.istio.io/subzone",
    ] {
        let both = json!({"failover": [{"from": "us", "to": "eu"}], "failoverPriority": ["app", label]});
        assert_eq!(refused_of(both), ["failoverPriority"]);
        assert_eq!(refused_of(json!({"failoverPriority": [label]})), [""; 0]);
    }
    let many = ["app"; 13];
    assert_eq!(
        refused_of(json!({"failoverPriority": many})),
        ["failoverPriority"]
    );
    // It is wrong even where it would mean nothing.
    assert_eq!(
        refused_of(json!({"enabled": false, "failover": [{"from": "us", "to": "us"}]})),
        ["failover[0].to"]
    );
}
