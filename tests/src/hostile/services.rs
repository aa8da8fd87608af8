//! ServiceEntries, DestinationRules, Services and their endpoints.

use fastrand::Rng;
use serde_json::{Value, json};

use super::chance::{anything, list, number, once_in, pick};
use super::ground::Ground;
use super::pools::{DESTINATIONS, NAMESPACES, SERVICES, STRINGS, WORDS};

/// The `spec` of one.
pub(super) fn service_entry(rng: &mut Rng, ground: &Ground) -> Value {
    let resolution = if once_in(rng, 8) {
        pick(rng, WORDS)
    } else {
        pick(
            rng,
            &[
                "STATIC",
                "STATIC",
                "DNS",
                "DNS_ROUND_ROBIN",
                "NONE",
                "DYNAMIC_DNS",
            ],
        )
    };
    let mut spec = json!({
        "hosts": list(rng, 2, |rng| json!(pick(rng, SERVICES))),
        "resolution": resolution,
        "ports": list(rng, 2, |rng| {
            let number = if once_in(rng, 6) { number(rng) } else { 80 };
            json!({"number": number, "name": pick(rng, &["http", "http", "http2", ""]), "protocol": pick(rng, &["HTTP", "HTTP2", "TCP", ""])})
        }),
        "endpoints": list(rng, 3, |rng| endpoint(rng, ground)),
    });
    if once_in(rng, 8) {
        spec["exportTo"] = json!([pick(rng, &["*", ".", "~", "a-team"])]);
    }
    if once_in(rng, 4) {
        spec["workloadSelector"] = json!({"labels": {"version": pick(rng, &["v1", "good", ""])}});
        if rng.bool() {
            spec["endpoints"] = json!([]);
        }
    }
    if once_in(rng, 10) {
        spec["location"] = json!(pick(rng, &["MESH_EXTERNAL", "MESH_INTERNAL", "é"]));
    }
    spec
}

/// An endpoint of a ServiceEntry, or the `spec` of a WorkloadEntry.
pub(super) fn endpoint(rng: &mut Rng, ground: &Ground) -> Value {
    let addresses = [
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.1",
        "::1",
        "localhost",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "",
        " ",
        "127.0.0.1:80",
        "256.1.1.1",
        "1.2.3",
        "unix:///tmp/a.sock",
        "evil..test",
        "::ffff:127.0.0.1",
        "fe80::1%lo",
        "240.0.0.1",
        "é",
        "2130706433",
        "0x7f.1",
    ];
    let port = if once_in(rng, 5) {
        number(rng)
    } else {
        i64::from(ground.stolen)
    };
    let port = if once_in(rng, 6) {
        ground
            .ports
            .get(rng.usize(..ground.ports.len().max(1)))
            .copied()
            .map_or(port, i64::from)
    } else {
        port
    };
    let mut endpoint =
        json!({"address": pick(rng, &addresses), "ports": {pick(rng, &["http", "http", "http2", ""]): port}});
    if once_in(rng, 3) {
        endpoint["labels"] = json!({"version": pick(rng, &["v1", "v2", "good", ""])});
    }
    if once_in(rng, 5) {
        endpoint["weight"] = json!(number(rng));
    }
    endpoint
}

/// The `spec` of one.
pub(super) fn destination_rule(rng: &mut Rng) -> Value {
    let wide = [
        "*",
        "*.test",
        "*.svc.cluster.local",
        "*.a-team.svc.cluster.local",
        "*.local",
    ];
    let host = match rng.u8(..5) {
        0 => pick(rng, &wide),
        1 | 2 => pick(rng, SERVICES),
        _ => pick(rng, DESTINATIONS),
    };
    let mut spec = json!({
        "host": host,
        "subsets": list(rng, 3, |rng| json!({
            "name": pick(rng, &["v1", "v2", "v3", "", "a|b", "a\nforged line"]),
            "labels": {"version": pick(rng, &["v1", "v2", "good", ""])},
        })),
        "trafficPolicy": if once_in(rng, 2) { anything(rng) } else { hashing(rng) },
    });
    if once_in(rng, 4) {
        spec["trafficPolicy"] = json!({"tls": {"mode": pick(rng, &["SIMPLE", "DISABLE", "ISTIO_MUTUAL"])}});
    }
    if once_in(rng, 6) {
        spec["workloadSelector"] = json!({"matchLabels": {"istio": pick(rng, &["ingressgateway", "other"])}});
    }
    spec
}

/// A policy that hashes what some request may say, with a ring or a table of some size.
fn hashing(rng: &mut Rng) -> Value {
    let mut own = match rng.u8(..4) {
        0 => json!({"httpHeaderName": pick(rng, STRINGS)}),
        1 => json!({"httpCookie": {"name": pick(rng, STRINGS), "path": pick(rng, STRINGS), "ttl": "1h"}}),
        2 => json!({"httpQueryParameterName": pick(rng, STRINGS)}),
        _ => json!({"useSourceIp": true}),
    };
    match rng.u8(..4) {
        0 => own["ringHash"] = json!({"minimumRingSize": 8_388_608}),
        1 => own["ringHash"] = json!({"minimumRingSize": number(rng)}),
        2 => own["maglev"] = json!({"tableSize": number(rng)}),
        _ => {}
    }
    json!({"loadBalancer": {"consistentHash": own}})
}

/// The `spec` of one.
pub(super) fn service(rng: &mut Rng) -> Value {
    let mut spec = json!({
        "selector": {"app": "b"},
        "ports": list(rng, 2, |rng| json!({"name": "http", "port": if once_in(rng, 3) { number(rng) } else { 80 }, "targetPort": number(rng)})),
    });
    if once_in(rng, 4) {
        spec["type"] = json!(pick(rng, &["ExternalName", "LoadBalancer", "é"]));
        spec["externalName"] = json!(pick(
            rng,
            &["127.0.0.1", "localhost", "evil.test", "", "é", "::1"]
        ));
    }
    if once_in(rng, 4) {
        spec["clusterIP"] = json!(pick(rng, &["None", "127.0.0.1", ""]));
    }
    spec
}

/// An Endpoints or an EndpointSlice.
pub(super) fn endpoints(rng: &mut Rng, ground: &Ground) -> Value {
    let address = |rng: &mut Rng| {
        pick(
            rng,
            &[
                "127.0.0.1",
                "::1",
                "0.0.0.0",
                "",
                "x",
                "127.0.0.1/8",
                "224.0.0.1",
                "é",
            ],
        )
        .to_owned()
    };
    let port = |rng: &mut Rng| {
        if once_in(rng, 3) {
            number(rng)
        } else {
            i64::from(ground.stolen)
        }
    };
    let metadata = json!({
        "name": "b",
        "namespace": pick(rng, NAMESPACES),
        "labels": {"kubernetes.io/service-name": pick(rng, &["b", "web", "", "é"])},
    });
    if rng.bool() {
        json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
            "subsets": [{"addresses": [{"ip": address(rng)}], "ports": [{"name": "http", "port": port(rng)}]}],
        })
    } else {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": pick(rng, &["IPv4", "IPv6", "FQDN", "é"]),
            "endpoints": [{"addresses": [address(rng), address(rng)], "conditions": {"ready": rng.bool()}}],
            "ports": [{"name": "http", "port": port(rng), "protocol": pick(rng, &["TCP", "UDP", ""])}],
        })
    }
}
